"""The feature-based use of a body: it stays as it is, and what stands on it reads a choice of its layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gradatim.errors import ConfigError
from gradatim.nn.dropout import Dropout
from gradatim.nn.embedding import Marks
from gradatim.nn.packed import Layout
from gradatim.nn.pooling import ScalarMix
from gradatim.nn.recurrent import Recurrent
from gradatim.nn.stack import Trace
from gradatim.types import CAPITALS

Layers = Literal[
    "embeddings", "last", "second-to-last", "sum of all", "sum of last four", "concatenation of last four",
    "scalar mix",
]  # fmt: skip
Join = Literal["sum", "concatenation", "mix"]
READ: Mapping[
    Layers, tuple[slice, Join]
] = {  # which of the embeddings and the layers, and what is made of them
    "embeddings": (slice(0, 1), "sum"),
    "last": (slice(-1, None), "sum"),
    "second-to-last": (slice(-2, -1), "sum"),
    "sum of all": (slice(1, None), "sum"),
    "sum of last four": (slice(-4, None), "sum"),
    "concatenation of last four": (slice(-4, None), "concatenation"),
    "scalar mix": (slice(None), "mix"),
}
FEWEST = {  # layers a body must have
    "second-to-last": 2,
    "sum of all": 1,
    "sum of last four": 4,
    "concatenation of last four": 4,
}


class FrozenReader(nn.Module):
    """A body around one that stays as it is: what that says at a choice of its layers (Devlin et al. 2019, 5.3).

    `layers` chooses what is read: "sum of all" is over the blocks, the "scalar mix" is learned and over
    the embeddings too (Peters et al. 2018, eq. 1). With a `recurrent_width` two layers of a BiLSTM, so
    wide in each direction, read it, as in the paper's table 7. What the body is told of capitals is told again to what
    reads it, as the body learns nothing more. Raises ConfigError when the body has too few layers
    for the choice.
    """

    def __init__(
        self,
        body: nn.Module,
        layers: Layers,
        depth: int,
        width: int,
        *,
        recurrent_width: int = 0,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        if layers not in get_args(Layers):
            raise ConfigError(f"layers must be one of {', '.join(get_args(Layers))}, not '{layers}'")
        if depth < FEWEST.get(layers, 0):
            raise ConfigError(f"the {layers} needs {FEWEST[layers]} layers, and the body has {depth}")
        self.body = body.requires_grad_(False)
        self.layers, self.recurrent_width = layers, recurrent_width
        self.mix = ScalarMix(depth + 1) if layers == "scalar mix" else None
        width *= 4 if layers == "concatenation of last four" else 1
        known: Mapping[str, int] = getattr(body.config, "marks", {})
        self.marks = Marks({CAPITALS: known[CAPITALS]} if CAPITALS in known else {}, width)
        self.dropout = Dropout(dropout)
        self.recurrent = (
            Recurrent("lstm", width, recurrent_width, num_layers=2, bidirectional=True, dropout=dropout)
            if recurrent_width
            else None
        )
        self.output_width = 2 * recurrent_width or width

    def train(self, mode: bool = True) -> FrozenReader:
        """As any module, but that what is frozen never drops out."""
        super().train(mode)
        self.body.eval()
        return self

    def forward(
        self,
        ids: Tensor,
        layout: Layout,
        segments: Tensor | None = None,
        trace: Trace | None = None,
        marks: Mapping[str, Tensor] | None = None,
    ) -> Float[Tensor, "tokens width"]:
        trace = trace or Trace([])
        told = {"marks": marks} if marks else {}  # not all bodies know them
        with torch.no_grad():
            self.body(ids, layout, segments, trace, **told)
        states = self.marks.added(self._features(trace.hidden), ids, marks)
        return states if self.recurrent is None else self.recurrent(self.dropout(states), layout)

    def _features(self, hidden: Sequence[Tensor]) -> Tensor:
        read, join = READ[self.layers]
        parts = list(hidden[read])
        if self.mix is not None:
            return self.mix(parts)  # type: ignore[no-any-return]
        return torch.cat(parts, dim=-1) if join == "concatenation" else torch.stack(parts).sum(0)
