"""From token states to one vector per row, and from the states of many layers to one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gradatim.nn.packed import Layout

Pooling = Literal["first", "last", "mean", "max"]


def pool(
    x: Float[Tensor, "tokens width"], layout: Layout, how: Pooling = "mean"
) -> Float[Tensor, "rows width"]:
    """The first ([CLS]) or last token's state, the mean or the maximum over each row's tokens."""
    if how == "first":
        return x.index_select(0, layout.offsets)
    if how == "last":
        return x.index_select(0, layout.offsets + layout.lengths - 1)
    # segment_reduce is one pass forward and backward, index_add would be a scatter
    return torch.segment_reduce(x.float(), how, lengths=layout.lengths, axis=0)


class ScalarMix(nn.Module):
    """gamma * sum_j softmax(s)_j h_j: a learned mean of layers (Peters et al. 2018, eq. 1)."""

    def __init__(self, num_layers: int) -> None:
        super().__init__()
        self.scores = nn.Parameter(torch.zeros(num_layers))
        self.gamma = nn.Parameter(torch.ones(()))

    def forward(self, layers: Sequence[Float[Tensor, "tokens width"]]) -> Float[Tensor, "tokens width"]:
        shares = self.scores.softmax(0)
        return self.gamma * torch.stack(
            [share * layer for share, layer in zip(shares, layers, strict=True)]
        ).sum(0)
