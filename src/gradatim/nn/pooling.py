"""From token states to one vector per row."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from gradatim.nn.packed import Layout

Pooling = Literal["first", "mean", "max"]


def pool(
    x: Float[Tensor, "tokens width"], layout: Layout, how: Pooling = "mean"
) -> Float[Tensor, "rows width"]:
    """The first token's state ([CLS]), the mean or the maximum over each row's tokens."""
    if how == "first":
        return x.index_select(0, layout.offsets)
    if how == "mean":
        # segment_reduce is one pass forward and backward, index_add would be a scatter
        return torch.segment_reduce(x.float(), "mean", lengths=layout.lengths, axis=0)
    return torch.segment_reduce(x.float(), "max", lengths=layout.lengths, axis=0)
