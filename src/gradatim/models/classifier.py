"""A text classifier: a body that turns tokens into states, a pooling, and a linear head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from gradatim.models.heads import RowHead, TokenHead
from gradatim.models.inputs import Inputs
from gradatim.nn.dropout import Dropout
from gradatim.nn.packed import Layout
from gradatim.nn.pooling import Pooling, pool
from gradatim.nn.stack import Trace
from gradatim.text.grids import GridConfig


class Classifier(nn.Module):
    """body -> pool -> head. Returns logits (rows, labels); the objective makes the loss.

    Several poolings are concatenated, in the order given. One label is a regression, or the
    score of a choice; `inner` is the head's (BERT's pooler is "tanh").
    """

    def __init__(
        self,
        body: nn.Module,
        width: int,
        num_labels: int,
        *,
        pooling: tuple[Pooling, ...] = ("mean",),
        inner: str | None = None,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.body = body
        self.pooling = pooling
        self.head = RowHead(width * len(pooling), num_labels, inner=inner, dropout=dropout)

    def features(self, inputs: Inputs, trace: Trace | None = None) -> Float[Tensor, "rows width"]:
        """The pooled vector of each row."""
        states = self.body(inputs.ids, inputs.layout, inputs.segments, trace, **inputs.told)
        pooled = torch.cat([pool(states, inputs.layout, how) for how in self.pooling], dim=-1)
        return pooled[: len(inputs.owners)]  # without the rows that only fill the batch

    def forward(self, inputs: Inputs, trace: Trace | None = None) -> Float[Tensor, "rows labels"]:
        return self.head(self.features(inputs, trace))  # type: ignore[no-any-return]


class Tagger(nn.Module):
    """body -> head on every token: logits (tokens, outputs) of tags, or of a span's start and end."""

    def __init__(self, body: nn.Module, width: int, num_outputs: int, *, dropout: float = 0.1) -> None:
        super().__init__()
        self.body = body
        self.head = TokenHead(width, num_outputs, dropout=dropout)

    def forward(self, inputs: Inputs, trace: Trace | None = None) -> Float[Tensor, "tokens outputs"]:
        """Without the tokens that only fill the batch."""
        states = self.body(inputs.ids, inputs.layout, inputs.segments, trace, **inputs.told)
        return self.head(states[: inputs.num_tokens])  # type: ignore[no-any-return]


class GridReader(nn.Module):
    """body -> logits of every token of a table, of its cell, of its column and perhaps of its row there; and of every
    row of the batch those of the aggregations, if there are any (Herzig et al. 2020, section 2).
    """

    def __init__(
        self, body: nn.Module, width: int, num_aggregations: int, config: GridConfig, *, dropout: float = 0.1
    ) -> None:
        super().__init__()
        self.body = body
        self.config = config
        self.head = TokenHead(width, len(config.divisors), dropout=dropout)
        self.aggregation = (
            RowHead(width, num_aggregations, inner="tanh", dropout=0.0) if num_aggregations else None
        )

    def forward(
        self, inputs: Inputs, trace: Trace | None = None
    ) -> tuple[Float[Tensor, "tokens outputs"], Float[Tensor, "rows aggregations"] | None]:
        """Without the tokens and rows that only fill the batch."""
        states = self.body(inputs.ids, inputs.layout, inputs.segments, trace, **inputs.told)
        logits = self.head(states[: inputs.num_tokens])
        logits = logits / logits.new_tensor(self.config.divisors)
        if self.aggregation is None:
            return logits, None
        firsts = pool(states, inputs.layout, "first")[: len(inputs.owners)]
        return logits, self.aggregation(firsts)


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticConfig:
    """Static word vectors and nothing on them: what GloVe and word2vec give."""

    vocab_size: int
    width: int
    static: Literal[True] = True  # tells its record from others

    longest: ClassVar[None] = None
    causal: ClassVar[bool] = False
    depth: ClassVar[int] = 0

    @property
    def output_width(self) -> int:
        """Of the states that a head reads."""
        return self.width

    def build(self) -> WordVectors:
        """The body with fresh vectors."""
        return WordVectors(self.vocab_size, self.width)


class WordVectors(nn.Module):
    """The simplest body: each token's static vector (a bag of embeddings once pooled by its mean)."""

    def __init__(self, vocab_size: int, width: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.config = StaticConfig(vocab_size=vocab_size, width=width)
        self.words = nn.Embedding(vocab_size, width)
        self.dropout = Dropout(dropout)
        nn.init.normal_(self.words.weight, std=0.1)

    def forward(
        self,
        ids: Int[Tensor, " tokens"],
        layout: Layout,
        segments: Tensor | None = None,
        trace: Trace | None = None,
    ) -> Float[Tensor, "tokens width"]:
        x: Tensor = self.dropout(self.words(ids))
        if trace is not None:
            trace.hidden.append(x)
        return x


def num_parameters(model: nn.Module) -> int:
    """How many weights a model holds."""
    return sum(p.numel() for p in model.parameters())
