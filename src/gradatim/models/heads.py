"""Heads: hidden states in, logits out. A head never sees a model; what it shares, it is handed."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from gradatim.nn.axes import ACTIVATIONS
from gradatim.nn.dropout import Dropout
from gradatim.nn.initial import init_normal
from gradatim.types import Array


class LanguageHead(nn.Module):
    """Scores of every word of the vocabulary, with the input's word vectors if `words` is given (Press & Wolf 2017).

    `scale` multiplies the states first (tied T5: width^-0.5).
    """

    def __init__(
        self,
        width: int,
        vocab_size: int,
        *,
        words: nn.Embedding | None = None,
        bias: bool = False,
        scale: float = 1.0,
    ) -> None:
        super().__init__()
        self.linear = nn.Linear(width, vocab_size, bias=bias)
        self.scale = scale
        init_normal(self)
        if words is not None:
            self.linear.weight = words.weight

    @torch.no_grad()
    def begin_at(self, predicted: Array) -> None:
        """Know from the start how often each word is predicted, by these ids: bias = ln p(w), all counted once more.

        A recurrent network learns it otherwise as a state that it goes into and does not leave.
        """
        counts = np.bincount(predicted, minlength=self.linear.out_features) + 1
        self.linear.bias.copy_(torch.from_numpy(np.log(counts / counts.sum())))

    @property
    def output(self) -> nn.Linear:
        return self.linear

    def features(self, states: Float[Tensor, "tokens width"]) -> Float[Tensor, "tokens width"]:
        """What `output` reads."""
        return states if self.scale == 1.0 else states * self.scale

    def forward(self, states: Float[Tensor, "tokens width"]) -> Float[Tensor, "tokens vocabulary"]:
        return self.output(self.features(states))  # type: ignore[no-any-return]


class MaskedHead(nn.Module):
    """BERT's masked-word head: linear, activation, norm, tied word scores with a bias (Devlin et al. 2019)."""

    def __init__(self, words: nn.Embedding, *, activation: str = "gelu", norm_eps: float = 1e-12) -> None:
        super().__init__()
        vocab_size, width = words.weight.shape
        self.linear = nn.Linear(width, width)
        self.activation = activation
        self.norm = nn.LayerNorm(width, eps=norm_eps)
        init_normal(self)
        self.words = LanguageHead(width, vocab_size, words=words, bias=True)

    @property
    def output(self) -> nn.Linear:
        return self.words.linear

    def features(self, states: Float[Tensor, "tokens width"]) -> Float[Tensor, "tokens width"]:
        """What `output` reads."""
        return self.norm(ACTIVATIONS[self.activation](self.linear(states)))  # type: ignore[no-any-return]

    def forward(self, states: Float[Tensor, "tokens width"]) -> Float[Tensor, "tokens vocabulary"]:
        return self.output(self.features(states))  # type: ignore[no-any-return]


class RowHead(nn.Module):
    """Logits of a whole row from its pooled vector: [linear, activation,] dropout, linear.

    With an `inner` activation it is BERT's pooler ("tanh") with a classifier, and DistilBERT's with
    "relu"; without one a bare linear layer. One output is a regression, or the score of a choice.
    """

    def __init__(
        self, width: int, num_outputs: int, *, inner: str | None = None, dropout: float = 0.1
    ) -> None:
        super().__init__()
        self.inner = nn.Linear(width, width) if inner else None
        self.activation = inner
        self.dropout = Dropout(dropout)
        self.linear = nn.Linear(width, num_outputs)
        init_normal(self)

    def forward(self, pooled: Float[Tensor, "rows width"]) -> Float[Tensor, "rows outputs"]:
        if self.inner is not None and self.activation is not None:
            pooled = ACTIVATIONS[self.activation](self.inner(pooled))
        return self.linear(self.dropout(pooled))  # type: ignore[no-any-return]


class TokenHead(nn.Module):
    """Logits of every token: tags, or start and end of a span (Devlin et al. 2019, figure 4)."""

    def __init__(self, width: int, num_outputs: int, *, dropout: float = 0.1) -> None:
        super().__init__()
        self.dropout = Dropout(dropout)
        self.linear = nn.Linear(width, num_outputs)
        init_normal(self)

    def forward(self, states: Float[Tensor, "tokens width"]) -> Float[Tensor, "tokens outputs"]:
        return self.linear(self.dropout(states))  # type: ignore[no-any-return]
