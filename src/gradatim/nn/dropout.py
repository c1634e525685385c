"""Dropout whose masks are put together from a table of random patterns: on a CPU the draws would cost more than
the layer."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

PATTERNS, LENGTH = 8192, 512  # the table: so many patterns, of so many values each
EXACT = torch.bfloat16  # the narrowest type that training computes in


@dataclass(frozen=True, slots=True)
class Mask:
    """A dropout mask as the patterns it consists of: what a backward pass needs to make it again.

    Each run of 512 values is one of 8,192 fixed patterns, all of whose values were drawn independently. The
    choice of patterns comes from torch's generator and repeats with its seed.
    """

    picks: Int[Tensor, " runs"]
    p: float

    @classmethod
    def draw(cls, runs: int, p: float) -> Mask:
        return cls(torch.randint(PATTERNS, (runs,)), p)

    def like(self, x: Tensor, first_run: int = 0) -> Tensor:
        """Zeros and 1/(1-p) in the shape and type of `x`, from a run of the mask on."""
        picks = self.picks[first_run : first_run + runs_of(x.numel())]
        picked = patterns(self.p, x.dtype).index_select(0, picks)
        return picked.view(-1)[: x.numel()].view(x.shape)


def runs_of(numel: int) -> int:
    """How many runs a mask of so many values has."""
    return -(-numel // LENGTH)


@functools.cache
def patterns(p: float, dtype: torch.dtype) -> Tensor:
    """(8192, 512) zeros and 1/(1-p), a scale that is exact in bfloat16.

    That moves `p` by less than 0.004, and what is below may be 0.
    """
    exact = torch.tensor(1 / (1 - p), dtype=EXACT).item()
    draws = torch.rand(PATTERNS, LENGTH, generator=torch.Generator().manual_seed(PATTERNS))
    return (draws < 1 / exact).to(dtype) * exact


class _Dropped(torch.autograd.Function):
    """x times a mask that is made again in the backward pass, instead of kept."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, mask: Mask) -> Tensor:
        ctx.mask = mask
        made = mask.like(x)
        return torch.mul(x, made, out=made)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        made = ctx.mask.like(grad)
        return torch.mul(grad, made, out=made), None


class Dropout(nn.Module):
    """Zeroes values with probability `p` in training and scales the rest (Srivastava et al. 2014).

    Differs: on a CPU `p` is rounded as `patterns` says; the scale is that of the rounded value, so the
    expectation is exact.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        if not 0 <= p < 1:
            raise ValueError(f"dropout is a probability in [0, 1), not {p}")
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or not self.p:
            return x
        if x.device.type != "cpu":
            return torch.nn.functional.dropout(x, self.p)
        return _Dropped.apply(x, Mask.draw(runs_of(x.numel()), self.p))  # type: ignore[no-any-return, no-untyped-call]

    def extra_repr(self) -> str:
        return f"p={self.p}"


class LockedDropout(nn.Module):
    """One mask for all tokens of a row (Gal & Ghahramani 2016, section 4.1; "variational dropout")."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.dropout = Dropout(p)

    def forward(
        self, x: Float[Tensor, "tokens width"], rows: Int[Tensor, " tokens"]
    ) -> Float[Tensor, "tokens width"]:
        """`rows` names the row of each token."""
        if not self.training or not self.dropout.p:
            return x
        mask = self.dropout(torch.ones(int(rows.max()) + 1, x.shape[1], dtype=x.dtype, device=x.device))
        dropped: Tensor = x * mask.index_select(0, rows)
        return dropped


class WordDropout(nn.Module):
    """Whole words at once: a word that is dropped is zero wherever it stands (Gal & Ghahramani 2016, section 4.2)."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.dropout = Dropout(p)

    def forward(self, x: Float[Tensor, "tokens width"], ids: Int[Tensor, " tokens"]) -> Tensor:
        """`x` are the vectors of `ids`."""
        if not self.training or not self.dropout.p:
            return x
        mask = self.dropout(torch.ones(int(ids.max()) + 1, dtype=x.dtype, device=x.device))
        dropped: Tensor = x * mask.index_select(0, ids)[:, None]
        return dropped
