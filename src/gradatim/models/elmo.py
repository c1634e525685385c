"""ELMo: words from their letters, read forward and backward by two language models (Peters et al. 2018)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from gradatim.errors import ConfigError, check_shares
from gradatim.nn.characters import CharacterCNN
from gradatim.nn.dropout import Dropout
from gradatim.nn.packed import Layout
from gradatim.nn.recurrent import Recurrent
from gradatim.nn.stack import Trace
from gradatim.text.characters import SYMBOLS

FILTERS = ((1, 32), (2, 32), (3, 64), (4, 128), (5, 128))


@dataclass(frozen=True, slots=True, kw_only=True)
class ElmoConfig:
    """A character CNN of these `filters`, and `num_layers` LSTMs of `width` in each direction.

    `vocab_size` counts the words that are predicted; any word can be read.
    """

    vocab_size: int
    width: int
    num_layers: int = 2
    filters: tuple[tuple[int, int], ...] = FILTERS
    dropout: float = 0.1

    longest: ClassVar[None] = None
    causal: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if min(self.vocab_size, self.width, self.num_layers, *(n for pair in self.filters for n in pair)) < 1:
            raise ConfigError("vocab_size, width, num_layers and filters must be at least 1")
        check_shares(self, "dropout")

    @property
    def depth(self) -> int:
        """Of the layers that a trace shows above the embedding."""
        return self.num_layers

    @property
    def output_width(self) -> int:
        """Of the states that a head reads: of both directions."""
        return 2 * self.width

    def build(self) -> ElmoBackbone:
        """The body with fresh weights."""
        return ElmoBackbone(self)

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> ElmoConfig:
        """From its fields after JSON, where filters are lists."""
        return cls(**{**fields, "filters": tuple((size, count) for size, count in fields["filters"])})


class ElmoBackbone(nn.Module):
    """A forward and a backward language model on the same words; a layer's states of both stand side by side.

    Differs: LSTMs as wide as their words in place of wider ones with a projection (section 3.4).
    """

    def __init__(self, config: ElmoConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = CharacterCNN(SYMBOLS, config.width, config.filters)
        self.dropout = Dropout(config.dropout)
        self.forwards, self.backwards = (
            nn.ModuleList(Recurrent("lstm", config.width, config.width) for _ in range(config.num_layers))
            for _ in range(2)
        )

    def forward(
        self,
        ids: Int[Tensor, "tokens letters"],
        layout: Layout,
        segments: Tensor | None = None,
        trace: Trace | None = None,
    ) -> Float[Tensor, "tokens width"]:
        """States of both directions, (tokens, 2 width); in each a layer is added to the one before it (section 3.4)."""
        words = self.embedding(ids)
        mirror = layout.offsets[layout.rows] + layout.lengths[layout.rows] - 1 - layout.positions
        left, right = words, words.index_select(0, mirror)
        hidden = [torch.cat([words, words], dim=-1)]
        for depth, (onward, back) in enumerate(zip(self.forwards, self.backwards, strict=True)):
            ahead, behind = onward(self.dropout(left), layout), back(self.dropout(right), layout)
            left, right = (ahead + left, behind + right) if depth else (ahead, behind)
            hidden.append(torch.cat([left, right.index_select(0, mirror)], dim=-1))
        if trace is not None:
            trace.hidden.extend(hidden)
        return hidden[-1]
