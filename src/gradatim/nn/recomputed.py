"""Attention for training on a CPU: its weights are made a few rows at a time, and made again rather than kept."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from gradatim.nn.dropout import Mask, runs_of

CELLS = 2**21  # attention weights made at once: they should stay in the processor's cache
SHUT = -1e30  # what is added to the score of a key that may not be attended to: its weight is then exactly 0
VECTOR = 32  # bfloat16 values in a vector register; rows of other lengths have a faster softmax in float32


def recomputed(
    q: Float[Tensor, "batch heads queries head_width"],
    k: Float[Tensor, "batch heads keys head_width"],
    v: Float[Tensor, "batch heads keys head_width"],
    mask: Bool[Tensor, "#batch #heads #queries keys"] | None,
    bias: Float[Tensor, "#batch heads queries keys"] | None,
    scale: float,
    dropout: float,
) -> Float[Tensor, "batch heads queries head_width"]:
    """What `attend` says, with a backward pass that makes the weights again (Chen et al. 2016, section 3).

    Memory is that of the inputs, and of the weights of one part where there is only one. What is made on the
    way is small enough to be used again and again, where all weights at once would be fetched from the
    operating system, and given back, at every step.
    """
    out: Tensor = _Recomputed.apply(q, k, v, mask, bias, scale, dropout)  # type: ignore[no-untyped-call]
    return out


class _Recomputed(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        mask: Tensor | None,
        bias: Tensor | None,
        scale: float,
        dropout: float,
    ) -> Tensor:
        q, k, v = q.contiguous(), k.to(q.dtype).contiguous(), v.to(q.dtype).contiguous()
        ctx.parts, runs = _plan(q.shape[0], q.shape[1], q.shape[2], k.shape[2])
        kept = None
        ctx.scale, ctx.dropped = scale, Mask.draw(runs, dropout) if dropout else None
        out = torch.empty_like(q)
        with torch.autocast("cpu", enabled=False):
            for part, weights in _weights(ctx.parts, q, k * scale, mask, bias):
                used = weights.to(q.dtype)
                if ctx.dropped is not None:
                    used = ctx.dropped.like(used, part.first_run).mul_(used)
                torch.bmm(used, part.of(v), out=part.of(out))
                kept = weights if len(ctx.parts) == 1 else None
        ctx.save_for_backward(q, k, v, mask, bias, kept)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, mask, bias, kept = ctx.saved_tensors
        scaled, grad = k * ctx.scale, grad.contiguous()
        dq, dk, dv = torch.empty_like(q), torch.empty_like(k), torch.empty_like(v)
        dbias = torch.zeros_like(bias, dtype=torch.float32) if ctx.needs_input_grad[4] else None
        made = _weights(ctx.parts, q, scaled, mask, bias) if kept is None else [(ctx.parts[0], kept)]
        for part, weights in made:
            dweights = torch.bmm(part.of(grad), part.of(v).transpose(1, 2))
            used = weights.to(q.dtype)
            if ctx.dropped is not None:
                passed = ctx.dropped.like(used, part.first_run)
                dweights *= passed
                used = passed.mul_(used)
            torch.bmm(used.transpose(1, 2), part.of(grad), out=part.of(dv))
            dscores = torch._softmax_backward_data(dweights.to(weights.dtype), weights, -1, weights.dtype)
            if dbias is not None:
                share = part.share(dbias)
                share += dscores.view(part.shape).sum_to_size(share.shape)
            dscores = dscores.to(q.dtype)
            torch.bmm(dscores, part.of(scaled), out=part.of(dq))
            torch.bmm(dscores.transpose(1, 2), part.of(q), out=part.of(dk))
        return dq, dk.mul_(ctx.scale), dv, None, None if dbias is None else dbias.to(bias.dtype), None, None


@dataclass(frozen=True, slots=True)
class _Part:
    """Some rows with all their heads, or some heads of one row; `first_run` is where their dropout mask begins."""

    rows: slice
    heads: slice
    shape: tuple[int, int, int, int]  # rows, heads, queries, keys
    first_run: int

    def of(self, x: Tensor) -> Tensor:
        """(rows * heads, length, head_width), a view of (batch, heads, length, head_width)."""
        return x[self.rows, self.heads].view(-1, *x.shape[2:])

    def share(self, x: Tensor) -> Tensor:
        """This part of what may be the same for all rows, or all heads."""
        every = slice(None)
        return x[self.rows if len(x) > 1 else every, self.heads if x.shape[1] > 1 else every]


def _plan(batch: int, heads: int, queries: int, keys: int) -> tuple[list[_Part], int]:
    """All parts, each of about `CELLS` weights, and how many runs their dropout masks have in all."""
    rows = max(1, CELLS // max(1, heads * queries * keys))
    some = heads if rows > 1 else min(heads, max(1, CELLS // max(1, queries * keys)))
    parts, runs = [], 0
    for row in range(0, batch, rows):
        for head in range(0, heads, some):
            part = slice(row, min(row + rows, batch)), slice(head, min(head + some, heads))
            shape = (part[0].stop - row, part[1].stop - head, queries, keys)
            parts.append(_Part(*part, shape, runs))
            runs += runs_of(math.prod(shape))
    return parts, runs


def _weights(
    parts: list[_Part], q: Tensor, scaled: Tensor, mask: Tensor | None, bias: Tensor | None
) -> Iterator[tuple[_Part, Tensor]]:
    """Each part's attention weights (rows * heads, queries, keys) before dropout."""
    shut = empty = None
    if mask is not None:
        shut = torch.zeros(mask.shape, dtype=q.dtype).masked_fill_(~mask, SHUT)
        empty = ~mask.any(-1, keepdim=True)
        empty = empty if empty.any() else None
    fine = q.dtype if scaled.shape[2] % VECTOR == 0 else torch.float32
    for part in parts:
        scores = torch.bmm(part.of(q), part.of(scaled).transpose(1, 2))
        grid = scores.view(part.shape)
        if bias is not None:
            grid += part.share(bias)
        if shut is not None:
            grid += part.share(shut)
        weights = scores.to(fine).softmax(-1)
        if empty is not None:
            weights.view(part.shape).masked_fill_(part.share(empty), 0.0)
        yield part, weights
