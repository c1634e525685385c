"""Token embeddings: word vectors with what is added to them before the first block."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from gradatim.errors import ConfigError, check_shares, check_sizes
from gradatim.nn.dropout import Dropout
from gradatim.nn.packed import Layout
from gradatim.nn.positions import sinusoids

POSITIONS = ("learned", "interleaved", "halves", "none")


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingConfig:
    """Sizes and axes of the input representation.

    positions       "learned" vectors, sinusoids with "interleaved" channels or in "halves", or "none"
    first_position  the row of the position table where texts begin (RoBERTa's is 2)
    num_segments    segment vectors to add, 0 for none
    marks           what else is told of a token and has vectors to add, each with its number of values
    restart         positions count anew for all tokens of a row that the first so many marks tell apart (Herzig et al.
                    2020)
    scaled          word vectors are multiplied by sqrt(width) (Vaswani et al. 2017, section 3.4)
    norm            the sum is normalised
    """

    vocab_size: int
    width: int
    max_length: int = 512
    positions: Literal["learned", "interleaved", "halves", "none"] = "learned"
    first_position: int = 0
    num_segments: int = 0
    marks: Mapping[str, int] = field(default_factory=dict)
    restart: int = 0
    scaled: bool = False
    norm: bool = False
    norm_eps: float = 1e-12
    dropout: float = 0.1

    def __post_init__(self) -> None:
        check_sizes(self, "vocab_size", "width", "max_length")
        check_shares(self, "dropout")
        if self.positions not in POSITIONS:
            raise ConfigError(f"unknown positions '{self.positions}'; known: {', '.join(POSITIONS)}")
        if not 0 <= self.restart <= len(self.marks):
            raise ConfigError(f"positions cannot restart by {self.restart} of {len(self.marks)} marks")


class Marks(nn.ModuleDict):
    """Vectors of what is told of tokens besides what they are, one table for each mark."""

    def __init__(self, sizes: Mapping[str, int], width: int, *, std: float = 0.02) -> None:
        super().__init__({name: nn.Embedding(size, width) for name, size in sizes.items()})
        for table in self.parameters():
            nn.init.normal_(table, std=std)

    def silence(self) -> None:
        """Add nothing for 0, so that a body to which they are new says what it said where nothing is told; where they
        learn nothing, whatever is told."""
        with torch.no_grad():
            for table in self.parameters():
                table[: 1 if table.requires_grad else None] = 0

    def added(
        self, x: Float[Tensor, "tokens width"], ids: Tensor, marks: Mapping[str, Tensor] | None
    ) -> Float[Tensor, "tokens width"]:
        """The sum; a mark that is not told is 0."""
        for name, table in self.items():
            x = x + table(marks[name] if marks and name in marks else torch.zeros_like(ids))
        return x


def silence_marks(model: nn.Module, *, besides: Collection[str]) -> None:
    """Silence all marks of a model but those of which a weight is named."""
    for name, part in model.named_modules():
        if isinstance(part, Marks) and not any(known.startswith(f"{name}.") for known in besides):
            part.silence()


class Embedding(nn.Module):
    """word + position + segment (Devlin et al. 2019, figure 2) + marks, each of them as the configuration says.

    Word vectors may give sparse gradients, so that a step touches only the rows in the batch.
    """

    sinusoids: Tensor

    def __init__(self, config: EmbeddingConfig) -> None:
        super().__init__()
        self.config = config
        self.words = nn.Embedding(config.vocab_size, config.width)
        if config.positions == "learned":
            self.positions = nn.Embedding(config.max_length + config.first_position, config.width)
        elif config.positions != "none":
            table = sinusoids(config.max_length, config.width, config.positions)
            self.register_buffer("sinusoids", table, persistent=False)
        if config.num_segments:
            self.segments = nn.Embedding(config.num_segments, config.width)
        self.marks = Marks(config.marks, config.width)
        self.norm = nn.LayerNorm(config.width, eps=config.norm_eps) if config.norm else nn.Identity()
        self.dropout = Dropout(config.dropout)

    def forward(
        self,
        ids: Int[Tensor, " tokens"],
        layout: Layout,
        segments: Int[Tensor, " tokens"] | None = None,
        marks: Mapping[str, Tensor] | None = None,
    ) -> Float[Tensor, "tokens width"]:
        """A mark that is not told is 0. Raises IndexError when a row is longer than the position table."""
        positions = layout.positions
        if marks and self.config.restart:
            positions = positions - self._firsts(layout, marks)
        return self.at(ids, positions, segments, marks)

    def _firsts(self, layout: Layout, marks: Mapping[str, Tensor]) -> Int[Tensor, " tokens"]:
        """The position of the first token of the row with the same marks."""
        keys = layout.rows
        for name, size in islice(self.config.marks.items(), self.config.restart):
            keys = keys * size + marks[name]
        found, of = torch.unique(keys, return_inverse=True)
        firsts = layout.positions.new_zeros(len(found))
        return firsts.scatter_reduce(0, of, layout.positions, "amin", include_self=False)[of]

    def at(
        self,
        ids: Int[Tensor, " tokens"],
        positions: Int[Tensor, " tokens"],
        segments: Int[Tensor, " tokens"] | None = None,
        marks: Mapping[str, Tensor] | None = None,
    ) -> Float[Tensor, "tokens width"]:
        """Embed tokens that stand at these positions of their rows."""
        config = self.config
        x = self.words(ids)
        if config.scaled:
            x = x * math.sqrt(config.width)
        if config.positions == "learned":
            x = x + self.positions(positions + config.first_position)
        elif config.positions != "none":
            x = x + self.sinusoids[positions]
        if config.num_segments:
            x = x + (self.segments.weight[0] if segments is None else self.segments(segments))
        x = self.marks.added(x, ids, marks)
        return self.dropout(self.norm(x))  # type: ignore[no-any-return]
