"""One direction of a recurrent layer on a CPU, there and back through time, a step of all rows at once.

torch's own kernels want rows of one length: they prepare themselves anew for every length and number of rows, or lay
the recurrent weights out again at every step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

Parts = tuple[Tensor, ...]
PIECE = 512  # tokens of a product over all of them
FEW = 8  # steps for which it does not pay to lay weights out


def recurrence(
    cell: str,
    counts: Sequence[int],
    x: Float[Tensor, "tokens width"],
    weights: Sequence[Tensor],
    start: Parts,
) -> Parts:
    """h of all tokens (tokens, hidden), and the state that each row ends in, h and of an LSTM c, (rows, hidden).

    Tokens are in the order of time: of the first step `counts[0]` rows, then of the next those of them that go on,
    always the first ones. `weights` are W (gates * hidden, width), U (gates * hidden, hidden), and their biases b and
    d; the state before the first step is `start` (rows, hidden). Under autocast products are in its type, and what is
    kept from step to step is in float32 all the same.
    """
    dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else x.dtype
    into, on, *biases = weights
    told = biases if STEPS[cell].apart else (biases[0] + biases[1], None)
    asked = (STEPS[cell], dtype, tuple(counts), torch.is_grad_enabled())
    made: Parts = _Recurrence.apply(asked, x, into, on, *told, *start)  # type: ignore[no-untyped-call]
    return made


class _Recurrence(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        asked: tuple[Step, torch.dtype, tuple[int, ...], bool],
        x: Tensor,
        into: Tensor,
        on: Tensor,
        bias: Tensor,
        on_bias: Tensor | None,
        *start: Tensor,
    ) -> Parts:
        cell, dtype, counts, keep = ctx.asked = asked
        exact = torch.promote_types(dtype, torch.float32)
        state = tuple(part.to(exact) for part in start)
        made = x.new_empty(len(x), on.shape[1], dtype=dtype)
        ended, kept = [], []
        with torch.autocast("cpu", enabled=False):
            told = linear(x.to(dtype), into.to(dtype), bias.to(dtype))
            product = Product(on.to(dtype), len(counts), None if on_bias is None else on_bias.to(dtype))
            steps = zip(
                told.split_with_sizes(counts), made.split_with_sizes(counts), (*counts[1:], 0), strict=True
            )
            for now, h, after in steps:
                state, seen = cell.forward(now, product, tuple(part[: len(now)] for part in state))
                h.copy_(state[0])
                if after < len(now):
                    ended.append([part[after:] for part in state])
                if keep:
                    kept.append((*state[1:], *(part.to(dtype) for part in seen)))
        ctx.types = tuple(part.dtype for part in (x, into, *start))
        ctx.save_for_backward(x, into, on, made, *start, *(part for step in kept for part in step))
        ctx.set_materialize_grads(False)
        return made, *(torch.cat(parts[::-1]) for parts in zip(*ended, strict=True))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_made: Tensor | None, *d_ends: Tensor | None) -> tuple[Any, ...]:
        cell, dtype, counts, _ = ctx.asked
        x, into, on, made, *flat = ctx.saved_tensors
        start, flat = flat[: len(d_ends)], flat[len(d_ends) :]
        size, first = len(flat) // len(counts), [start[0].to(dtype), *start[1:]]
        exact = torch.promote_types(dtype, torch.float32)
        # Of the state after each step, for all rows; at first of what they end in.
        carried = [_given(d, part, exact) for d, part in zip(d_ends, start, strict=True)]
        back = Product(on.to(dtype).t().contiguous(), len(counts))
        d_told = made.new_empty(len(made), len(on))
        d_on = torch.empty_like(d_told) if cell.apart else d_told
        places = [slice(*ends) for ends in pairwise([0, *torch.tensor(counts).cumsum(0).tolist()])]
        for at in reversed(range(len(counts))):
            place, kept = places[at], flat[at * size : (at + 1) * size]
            before = [made[places[at - 1]], *flat[(at - 1) * size : at * size]] if at else first
            d = tuple(part[: counts[at]] for part in carried)
            if d_made is not None:
                d[0].add_(d_made[place])
            state = [part[: counts[at]].to(exact) for part in before[: len(d)]]
            found = cell.backward(d, state, [part.to(exact) for part in (made[place], *kept)])
            d_told[place].copy_(found[0])
            if cell.apart:
                d_on[place].copy_(found[1])
            d[0].add_(back(d_on[place]))
        read = [first[0], *(made[place][:rows] for place, rows in zip(places, counts[1:], strict=False))]
        typed = ctx.types
        return (
            None,
            linear(d_told, into.to(dtype).t()).to(typed[0]) if ctx.needs_input_grad[1] else None,
            outer(d_told, x.to(dtype)).to(typed[1]),
            outer(d_on, torch.cat(read)).to(typed[1]),
            d_told.sum(0, dtype=exact).to(typed[1]),
            d_on.sum(0, dtype=exact).to(typed[1]) if cell.apart else None,
            *(part.to(kind) for part, kind in zip(carried, typed[2:], strict=True)),
        )


def _given(d: Tensor | None, like: Tensor, dtype: torch.dtype) -> Tensor:
    return torch.zeros_like(like, dtype=dtype) if d is None else d.to(dtype, copy=True)


class Product:
    """U h + d for one step after another, with U laid out once for all of them."""

    def __init__(self, weight: Tensor, steps: int, bias: Tensor | None = None) -> None:
        self.weight, self.bias = weight, bias
        if steps >= FEW and _packs(weight.dtype):
            self.weight = torch.ops.mkldnn._reorder_linear_weight(weight, None)

    def __call__(self, h: Tensor) -> Tensor:
        return linear(h.to(self.weight.dtype), self.weight, self.bias)

    def onto(self, x: Tensor, h: Tensor) -> Tensor:
        """x + U h."""
        h = h.to(self.weight.dtype)
        if not self.weight.is_mkldnn:
            return torch.addmm(x, h, self.weight.t())
        made: Tensor = torch.ops.mkldnn._linear_pointwise.binary(h, x, self.weight, None, "add")
        return made


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """W x + b by oneDNN, which in float32 takes half of the time of MKL on AMD processors with AVX-512."""
    if not _packs(x.dtype):
        return F.linear(x, weight, bias)
    made: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
    return made


def outer(d: Tensor, x: Tensor) -> Tensor:
    """d^T x (out, in) of (tokens, out) and (tokens, in); in float32 by `linear`, pieces at a time, which is faster."""
    if d.dtype != torch.float32:
        return d.t() @ x
    total = d.new_zeros(x.shape[1], d.shape[1])
    for some, read in zip(torch.split(d, PIECE), torch.split(x, PIECE), strict=True):
        total += linear(read.t(), some.t())
    return total.t()


@cache
def _packs(dtype: torch.dtype) -> bool:
    """Whether this torch can have oneDNN multiply such numbers, on this processor."""
    ops = torch.ops.mkldnn
    if not (torch.backends.mkldnn.is_available() and hasattr(ops, "_linear_pointwise")):  # type: ignore[no-untyped-call]
        return False
    return dtype == torch.float32 or (dtype == torch.bfloat16 and bool(ops._is_mkldnn_bf16_supported()))


class Step(Protocol):
    """A cell: one step of all rows, and the way back.

    `apart` says that U h + d is needed by itself, not only with W x + b.
    """

    @property
    def apart(self) -> bool: ...

    def forward(self, x: Tensor, product: Product, before: Parts) -> tuple[Parts, Parts]:
        """The next state from W x + b, and what else the way back wants to know."""

    def backward(self, d: Parts, before: Sequence[Tensor], kept: Sequence[Tensor]) -> Parts:
        """From the gradient of the next state that of W x + b, and that of U h + d if it is another.

        `before` is the state before, `kept` the next state and what `forward` said. `d` is changed, in place, into the
        gradient of the state before, without what goes through U.
        """


@dataclass(frozen=True, slots=True)
class _Simple:
    """h = f(W x + b + U h + d) (Elman 1990), f being tanh or max(0, .)."""

    rectified: bool
    apart: bool = False

    def forward(self, x: Tensor, product: Product, before: Parts) -> tuple[Parts, Parts]:
        told = _exact(product.onto(x, before[0]))
        return (told.relu() if self.rectified else tanh(told),), ()

    def backward(self, d: Parts, before: Sequence[Tensor], kept: Sequence[Tensor]) -> Parts:
        (d_h,), (h,) = d, kept
        made = d_h * (h > 0) if self.rectified else torch.addcmul(d_h, d_h * h, h, value=-1)
        d_h.zero_()
        return (made,)


@dataclass(frozen=True, slots=True)
class _Gru:
    """h = (1 - z) n + z h with n = tanh(W x + b + r (U h + d)) (Cho et al. 2014, the reset gate after the product)."""

    apart: bool = True

    def forward(self, x: Tensor, product: Product, before: Parts) -> tuple[Parts, Parts]:
        (h,), x, told = before, _exact(x), _exact(product(before[0]))
        gates = 2 * h.shape[1]
        rz, own = (x[:, :gates] + told[:, :gates]).sigmoid_(), told[:, gates:]
        r, z = rz.chunk(2, dim=1)
        new = tanh(torch.addcmul(x[:, gates:], r, own))
        return (torch.lerp(new, h, z),), (rz, own, new)

    def backward(self, d: Parts, before: Sequence[Tensor], kept: Sequence[Tensor]) -> Parts:
        (d_h,), (h,), (_, rz, own, new) = d, before, kept
        r, z = rz.chunk(2, dim=1)
        d_x = h.new_empty(len(h), 3 * h.shape[1])
        d_r, d_z, d_new = d_x.chunk(3, dim=1)
        passed = torch.addcmul(d_h, d_h, z, value=-1)
        torch.addcmul(passed, passed * new, new, value=-1, out=d_new)
        torch.mul(d_new, own, out=d_r)
        torch.mul(d_h, h - new, out=d_z)
        d_x[:, : rz.shape[1]] *= torch.addcmul(rz, rz, rz, value=-1)
        d_told = d_x.clone()
        d_told[:, rz.shape[1] :] *= r
        d_h *= z
        return d_x, d_told


@dataclass(frozen=True, slots=True)
class _Lstm:
    """c = f c + i g, h = o tanh(c) (Hochreiter & Schmidhuber 1997; the forget gate of Gers et al. 2000).

    g = tanh(a) is 2 s - 1 with s = sigmoid(2 a): all four gates are sigmoids, made together.
    """

    apart: bool = False

    def forward(self, x: Tensor, product: Product, before: Parts) -> tuple[Parts, Parts]:
        gates = _exact(product.onto(x, before[0]))
        gates.chunk(4, dim=1)[2].mul_(2)
        i, f, s, o = gates.sigmoid_().chunk(4, dim=1)
        c = (f * before[1]).addcmul_(i, (2 * s).sub_(1))
        return (o * tanh(c), c), (gates,)

    def backward(self, d: Parts, before: Sequence[Tensor], kept: Sequence[Tensor]) -> Parts:
        (d_h, d_c), (_, c_before), (_, c, gates) = d, before, kept
        shown = tanh(c)
        i, f, s, o = gates.chunk(4, dim=1)
        d_shown = d_h * o
        d_c.add_(d_shown).addcmul_(d_shown * shown, shown, value=-1)
        made = torch.empty_like(gates)
        d_i, d_f, d_s, d_o = made.chunk(4, dim=1)
        torch.mul(d_c, (2 * s).sub_(1), out=d_i)
        torch.mul(d_c, c_before, out=d_f)
        torch.mul(4 * d_c, i, out=d_s)  # 1 - g^2 = 4 s (1 - s)
        torch.mul(d_h, shown, out=d_o)
        made *= torch.addcmul(gates, gates, gates, value=-1)
        d_c *= f
        d_h.zero_()
        return (made,)


STEPS: Mapping[str, Step] = {"rnn": _Simple(False), "relu": _Simple(True), "gru": _Gru(), "lstm": _Lstm()}


def tanh(x: Tensor) -> Tensor:
    """By way of the sigmoid, which on a CPU takes a tenth of the time of torch's tanh."""
    return (2 * x).sigmoid_().mul_(2).sub_(1)


def _exact(x: Tensor) -> Tensor:
    """In the type in which states are kept."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
