"""Cross-entropy over a vocabulary, a few rows of logits at a time: they are never all there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

CELLS = 2**20  # logits made at once: caches hold them
ROWS = 128  # at the least, for products at full speed


@dataclass(frozen=True, slots=True, kw_only=True)
class Taught:
    """What a teacher says of the same places: its states, and what reads them.

    The targets are worth `hard` then, and T^2 KL(teacher || student) at `temperature` T is worth `soft`
    (Hinton et al. 2015, section 2.1).
    """

    states: Float[Tensor, "places wide"]
    weight: Float[Tensor, "vocabulary wide"]
    bias: Float[Tensor, " vocabulary"] | None
    temperature: float
    soft: float
    hard: float


def vocabulary_cross_entropy(
    states: Float[Tensor, "places width"],
    weight: Float[Tensor, "vocabulary width"],
    bias: Float[Tensor, " vocabulary"] | None,
    targets: Int[Tensor, " places"],
    *,
    ignored: int,
    smoothing: float = 0.0,
    taught: Taught | None = None,
) -> Float[Tensor, ""]:
    """The sum over places of -log softmax(states W^T + b)[target]; a place whose target is `ignored` adds nothing.

    `smoothing` is what `torch.nn.functional.cross_entropy` calls so; `taught` adds a teacher. The gradient of logits
    follows from the logits alone, so it is made along with them, and multiplied at once into those of states, weight
    and bias (Hsu et al. 2024, section 3.2): memory is that of the gradients, instead of places times vocabulary.
    """
    if not torch.is_grad_enabled():  # a parameter wants its gradient even so
        weight, bias = weight.detach(), None if bias is None else bias.detach()
    loss: Tensor = _Vocabulary.apply(states, weight, bias, targets, ignored, smoothing, taught)  # type: ignore[no-untyped-call]
    return loss


class _Vocabulary(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        states: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        targets: Tensor,
        ignored: int,
        smoothing: float,
        taught: Taught | None,
    ) -> Tensor:
        device = states.device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else states.dtype
        rows = max(ROWS, CELLS // len(weight))
        loss = torch.zeros((), device=states.device)
        dstates = torch.empty_like(states, dtype=dtype) if ctx.needs_input_grad[0] else None
        dweight = torch.zeros_like(weight, dtype=torch.float32) if ctx.needs_input_grad[1] else None
        dbias = torch.zeros_like(bias, dtype=torch.float32) if ctx.needs_input_grad[2] else None  # type: ignore[arg-type]
        with torch.autocast(device, enabled=False):
            x, w = states.to(dtype), weight.to(dtype)
            b = None if bias is None else bias.to(dtype)
            for begin in range(0, len(x), rows):
                part = slice(begin, begin + rows)
                scores = F.linear(x[part], w, b).float()
                known = (targets[part] != ignored)[:, None]
                summed, grad = _of_targets(scores, targets[part, None].where(known, 0), known, smoothing)
                if taught is not None:
                    imitated, more = _of_teacher(scores, taught, part, dtype, known)
                    summed = taught.hard * summed + taught.soft * imitated
                    grad = grad.mul_(taught.hard).add_(more, alpha=taught.soft)
                loss += summed
                grad = grad.mul_(known).to(dtype) if not known.all() else grad.to(dtype)
                if dstates is not None:
                    torch.mm(grad, w, out=dstates[part])
                if dweight is not None:
                    _add_product(dweight, grad.T, x[part])
                if dbias is not None:
                    dbias += grad.sum(0, dtype=torch.float32)
        ctx.save_for_backward(dstates, dweight, dbias)
        ctx.dtypes = states.dtype, weight.dtype, None if bias is None else bias.dtype
        return loss

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        made = zip(ctx.saved_tensors, ctx.dtypes, strict=True)
        learned = (None if d is None else (d * grad).to(dtype) for d, dtype in made)
        return *learned, None, None, None, None


def _of_targets(scores: Tensor, targets: Tensor, known: Tensor, smoothing: float) -> tuple[Tensor, Tensor]:
    """The summed loss of some logits, and its gradient as if all places were known."""
    said = scores.log_softmax(-1)
    loss = -((1 - smoothing) * said.gather(1, targets) * known).sum()
    if smoothing:
        loss -= smoothing * (said.mean(-1, keepdim=True) * known).sum()
    grad = said.exp_().sub_(smoothing / scores.shape[1]) if smoothing else said.exp_()
    return loss, grad.scatter_add_(1, targets, grad.new_full(targets.shape, smoothing - 1))


def _of_teacher(
    scores: Tensor, taught: Taught, part: slice, dtype: torch.dtype, known: Tensor
) -> tuple[Tensor, Tensor]:
    """T^2 KL(teacher || student), summed, and its gradient T (student - teacher) as if all places were known."""
    bias = None if taught.bias is None else taught.bias.to(dtype)
    wanted = F.linear(taught.states[part].to(dtype), taught.weight.to(dtype), bias).float()
    said, wanted = ((x / taught.temperature).log_softmax(-1) for x in (scores, wanted))
    shares = wanted.exp()
    loss = taught.temperature**2 * (shares * wanted.sub_(said)).sum(-1, keepdim=True).mul_(known).sum()
    return loss, said.exp_().sub_(shares).mul_(taught.temperature)


def _add_product(total: Tensor, left: Tensor, right: Tensor) -> None:
    """total += left @ right, in place where the kinds of number allow."""
    if left.dtype == total.dtype:
        total.addmm_(left, right)
    else:
        total += left @ right
