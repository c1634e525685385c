"""The feature-based use of a body: it stays as it is, and a head reads a choice of its layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gradatim.errors import ConfigError
from gradatim.nn.dropout import Dropout
from gradatim.nn.embedding import init_normal
from gradatim.nn.packed import Layout
from gradatim.nn.pooling import ScalarMix
from gradatim.nn.recurrent import Recurrent

Layers = Literal[
    "embeddings", "last", "second-to-last", "sum of all", "sum of last four", "concatenation of last four",
    "scalar mix",
]  # fmt: skip
FEWEST = {
    "second-to-last": 2,
    "sum of last four": 4,
    "concatenation of last four": 4,
}  # layers a body must have


class LayerHead(nn.Module):
    """Logits of every token from the states of all layers (Devlin et al. 2019, section 5.3 and table 7).

    `layers` chooses what is read: "sum of all" is over the blocks, the "scalar mix" is learned and over
    the embeddings too (Peters et al. 2018, eq. 1). With a `recurrent_width` two layers of a BiLSTM, so
    wide in each direction, stand before the linear one, as in the paper. Raises ConfigError when the body
    has too few layers for the choice.
    """

    def __init__(
        self,
        layers: Layers,
        num_layers: int,
        width: int,
        num_outputs: int,
        *,
        recurrent_width: int = 0,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        if layers not in get_args(Layers):
            raise ConfigError(f"layers must be one of {', '.join(get_args(Layers))}, not '{layers}'")
        if num_layers < FEWEST.get(layers, 1):
            raise ConfigError(f"the {layers} needs {FEWEST[layers]} layers, and the body has {num_layers}")
        self.layers, self.recurrent_width = layers, recurrent_width
        self.mix = ScalarMix(num_layers + 1) if layers == "scalar mix" else None
        width *= 4 if layers == "concatenation of last four" else 1
        self.dropout = Dropout(dropout)
        self.recurrent = (
            Recurrent("lstm", width, recurrent_width, num_layers=2, bidirectional=True, dropout=dropout)
            if recurrent_width
            else None
        )
        self.linear = nn.Linear(2 * recurrent_width or width, num_outputs)
        init_normal(self.linear)

    def forward(
        self, hidden: Sequence[Float[Tensor, "tokens width"]], layout: Layout
    ) -> Float[Tensor, "tokens outputs"]:
        """`hidden` holds the embeddings and then the states after each block."""
        states = self._features(hidden)
        if self.recurrent is not None:
            states = self.recurrent(self.dropout(states), layout)
        return self.linear(self.dropout(states))  # type: ignore[no-any-return]

    def _features(self, hidden: Sequence[Tensor]) -> Tensor:
        match self.layers:
            case "embeddings":
                return hidden[0]
            case "last":
                return hidden[-1]
            case "second-to-last":
                return hidden[-2]
            case "sum of all":
                return torch.stack(list(hidden[1:])).sum(0)
            case "sum of last four":
                return torch.stack(list(hidden[-4:])).sum(0)
            case "concatenation of last four":
                return torch.cat(list(hidden[-4:]), dim=-1)
        assert self.mix is not None
        return self.mix(hidden)  # type: ignore[no-any-return]
