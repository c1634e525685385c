"""Token embeddings as a sum of word, position and segment vectors, normalised."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from gradatim.nn.dropout import Dropout
from gradatim.nn.packed import Layout


class Embedding(nn.Module):
    """BERT's input representation (Devlin et al. 2019, figure 2): word + learned position + segment.

    Word vectors may give sparse gradients, so that a step touches only the rows in the batch.
    """

    def __init__(
        self,
        vocab_size: int,
        width: int,
        *,
        max_length: int,
        num_segments: int,
        norm_eps: float = 1e-12,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.words = nn.Embedding(vocab_size, width)
        self.positions = nn.Embedding(max_length, width)
        self.segments = nn.Embedding(num_segments, width)
        self.norm = nn.LayerNorm(width, eps=norm_eps)
        self.dropout = Dropout(dropout)

    def forward(
        self,
        ids: Int[Tensor, " tokens"],
        layout: Layout,
        segments: Int[Tensor, " tokens"] | None = None,
    ) -> Float[Tensor, "tokens width"]:
        """Raises IndexError when a row is longer than the position table."""
        x = self.words(ids) + self.positions(layout.positions)
        x = x + (self.segments.weight[0] if segments is None else self.segments(segments))
        return self.dropout(self.norm(x))  # type: ignore[no-any-return]


def init_normal(module: nn.Module, std: float = 0.02) -> None:
    """BERT's initialisation, in place: normal weights, zero biases, unit norms."""
    for part in module.modules():
        if isinstance(part, nn.Linear | nn.Embedding):
            torch.nn.init.normal_(part.weight, std=std)
        if isinstance(part, nn.Linear) and part.bias is not None:
            torch.nn.init.zeros_(part.bias)
