"""Vector to sequence: a text from the one vector that stands for it."""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from torch import Tensor

from gradatim.errors import DataError
from gradatim.models.inputs import Inputs, PackedTexts
from gradatim.models.language import LanguageModel, VectorDecoder
from gradatim.nn.stack import Trace
from gradatim.objectives.base import Batch
from gradatim.objectives.rows import tokens_of
from gradatim.objectives.words import WordScored
from gradatim.types import Array


class TextFromVector(WordScored[LanguageModel]):
    """-log p(w_i | w_1, ..., w_{i-1}, vector), mean over words and the end (Vinyals et al. 2015, eq. 2).

    `vectors` is float (texts, width), a vector a text; `end_id` is read first and predicted last.
    """

    def __init__(self, texts: PackedTexts, vectors: Array, *, end_id: int) -> None:
        if len(vectors) != len(texts):
            raise DataError(f"{len(vectors)} vectors are not one for each of {len(texts)} texts")
        if len(texts.lengths) != len(texts):
            raise DataError("a text was cut into windows, and a vector stands for one row: raise max_length")
        self.vectors = torch.from_numpy(np.asarray(vectors, dtype=np.float32))
        self.texts, self.end_id = texts.ended(end_id), end_id

    @property
    def sizes(self) -> Array:
        return self.texts.sizes

    def collate(self, rows: Array, seed: int = 0) -> Batch:
        lengths = self.sizes[rows]
        following = self.texts.ids[tokens_of(self.texts, rows)].astype(np.int64)
        begins = np.cumsum(lengths) - lengths
        read = np.roll(following, 1)
        read[begins] = self.end_id
        inputs = Inputs.of({"ids": read, "lengths": lengths}, fill=1)  # no row without a vector
        return Batch(inputs, {"next": torch.from_numpy(following)}, rows)

    def states(self, model: LanguageModel, batch: Batch, trace: Trace | None = None) -> dict[str, Tensor]:
        inputs = batch.inputs
        vectors = self.vectors[torch.from_numpy(batch.rows)].to(inputs.ids.device)
        return {"next": cast(VectorDecoder, model).states(inputs.ids, inputs.layout, vectors, trace)}
