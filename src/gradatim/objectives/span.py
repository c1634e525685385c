"""Span selection: where in a row an answer starts and where it ends."""

from __future__ import annotations

import torch
from torch import Tensor

from gradatim.errors import DataError
from gradatim.models.classifier import Tagger
from gradatim.models.inputs import PackedTexts
from gradatim.nn.stack import Trace
from gradatim.objectives.base import Batch, Scored
from gradatim.text.windows import ragged
from gradatim.types import Array

IMPOSSIBLE = -1e9  # a logit of probability 0 whose divergence from itself is 0, which that of -inf is not


class Span(Scored[Tagger]):
    """Mean cross-entropy of an answer's first and last token over its row (Devlin et al. 2019, section 4.2).

    `spans` (rows, 2) counts tokens from the start of each row, both ends included; (0, 0) points at
    the first token and means no answer (section 4.3). Every window of a text is scored. The model
    gives two outputs per token. Raises DataError if a span lies outside its row.
    """

    def __init__(self, texts: PackedTexts, spans: Array) -> None:
        if spans.shape != (len(texts.lengths), 2):
            raise DataError(f"`spans` must be ({len(texts.lengths)}, 2), one per row, not {spans.shape}")
        wrong = (spans[:, 0] < 0) | (spans[:, 1] < spans[:, 0]) | (spans[:, 1] >= texts.lengths)
        if wrong.any():
            row = int(wrong.argmax())
            raise DataError(
                f"row {row} has {texts.lengths[row]} tokens: its answer cannot be {spans[row].tolist()}"
            )
        self.texts = texts
        self.spans = torch.from_numpy(spans)

    @property
    def sizes(self) -> Array:
        return self.texts.sizes

    def collate(self, rows: Array, seed: int = 0) -> Batch:
        first = self.texts.first_row
        windows = ragged(first[rows], first[rows + 1] - first[rows])
        start, end = self.spans[torch.from_numpy(windows)].unbind(1)
        return Batch(self.texts.take(rows), {"span": torch.cat([start, end])}, rows)

    def logits(self, model: Tagger, batch: Batch, trace: Trace | None = None) -> dict[str, Tensor]:
        inputs = batch.inputs
        flat = model(inputs, trace).float()
        own = slice(inputs.num_tokens)
        rows, places = inputs.layout.rows[own], inputs.layout.positions[own]
        longest = int(inputs.layout.sizes[: len(inputs.owners)].max())
        padded = flat.new_full((len(inputs.owners), longest, 2), IMPOSSIBLE).index_put((rows, places), flat)
        return {"span": torch.cat(padded.unbind(-1))}
