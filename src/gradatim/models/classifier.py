"""A text classifier: a body that turns tokens into states, a pooling, and a linear head."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from gradatim.models.heads import RowHead, TokenHead
from gradatim.models.inputs import Inputs
from gradatim.models.layers import LayerHead
from gradatim.nn.dropout import Dropout
from gradatim.nn.packed import Layout
from gradatim.nn.pooling import Pooling, pool
from gradatim.nn.stack import Trace


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
        states = self.body(inputs.ids, inputs.layout, inputs.segments, trace)
        pooled = torch.cat([pool(states, inputs.layout, how) for how in self.pooling], dim=-1)
        return pooled[: len(inputs.owners)]  # without the rows that only fill the batch

    def forward(self, inputs: Inputs, trace: Trace | None = None) -> Float[Tensor, "rows labels"]:
        return self.head(self.features(inputs, trace))  # type: ignore[no-any-return]


class Tagger(nn.Module):
    """body -> head on every token: logits (tokens, outputs) of tags, or of a span's start and end.

    Under a `LayerHead` the body is a frozen giver of features: no gradients, and no dropout in it.
    """

    def __init__(
        self,
        body: nn.Module,
        width: int,
        num_outputs: int,
        *,
        dropout: float = 0.1,
        head: LayerHead | None = None,
    ) -> None:
        super().__init__()
        self.body = body.requires_grad_(head is None)
        self.head = head or TokenHead(width, num_outputs, dropout=dropout)

    def train(self, mode: bool = True) -> Tagger:
        super().train(mode)
        if isinstance(self.head, LayerHead):
            self.body.eval()
        return self

    def forward(self, inputs: Inputs, trace: Trace | None = None) -> Float[Tensor, "tokens outputs"]:
        """Without the tokens that only fill the batch."""
        if isinstance(self.head, LayerHead):
            trace = trace or Trace([])
            with torch.no_grad():
                states = self.body(inputs.ids, inputs.layout, inputs.segments, trace)
            hidden = [
                *trace.hidden[:-1],
                states,
            ]  # the last norm of a pre-norm stack is part of its last layer
            return self.head(hidden, inputs.layout)[: inputs.num_tokens]  # type: ignore[no-any-return]
        states = self.body(inputs.ids, inputs.layout, inputs.segments, trace)
        return self.head(states[: inputs.num_tokens])  # type: ignore[no-any-return]


class WordVectors(nn.Module):
    """The simplest body: each token's static vector (a bag of embeddings once pooled by its mean)."""

    def __init__(self, vocab_size: int, width: int, *, dropout: float = 0.0) -> None:
        super().__init__()
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
        return self.dropout(self.words(ids))  # type: ignore[no-any-return]


def num_parameters(model: nn.Module) -> int:
    """How many weights a model holds."""
    return sum(p.numel() for p in model.parameters())
