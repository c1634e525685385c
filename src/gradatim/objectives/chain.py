"""Tagging by a chain: the tags of a whole sentence at once."""

from __future__ import annotations

import numpy as np
import torch

from gradatim.errors import DataError
from gradatim.models.inputs import PackedTexts
from gradatim.models.linear import LinearTagger
from gradatim.objectives.base import Batch, Loss
from gradatim.text.windows import ragged
from gradatim.types import Array


class ChainTagging:
    """-ln p of the tags of each sentence under a linear chain (Lafferty et al. 2001), over the number of words.

    `texts` holds sentences whose tokens are words, `tags` those of all words end to end. Raises DataError if there are
    more or fewer tags than words.
    """

    def __init__(self, texts: PackedTexts, tags: Array) -> None:
        if len(tags) != len(texts.ids):
            raise DataError(f"{len(tags)} tags do not fit {len(texts.ids)} words")
        self.texts, self.tags = texts, tags

    @property
    def sizes(self) -> Array:
        return self.texts.sizes

    def collate(self, rows: Array, seed: int = 0) -> Batch:
        words = ragged(self.texts.starts[rows], self.texts.lengths[rows])
        return Batch(self.texts.take(rows), {"tags": torch.from_numpy(np.asarray(self.tags[words]))}, rows)

    def loss(self, model: LinearTagger, batch: Batch) -> Loss:
        lengths = batch.inputs.layout.sizes[: len(batch.inputs.owners)]
        unlikely = model.chain(model(batch.inputs), batch.targets["tags"], lengths)
        return Loss({"tags": unlikely / max(1, batch.counts["tags"])}, dict(batch.counts))
