"""Tagging: one class per word."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from gradatim.errors import DataError
from gradatim.models.classifier import Tagger
from gradatim.models.inputs import PackedTexts
from gradatim.nn.stack import Trace
from gradatim.objectives.base import IGNORED, Batch, Scored
from gradatim.objectives.rows import tokens_of
from gradatim.types import Array


class Tagging(Scored[Tagger]):
    """Cross-entropy of each word's tag, at the word's first piece (Devlin et al. 2019, section 5.3).

    `tags` holds the tags of all words of all texts end to end (`IGNORED` where unknown); `words` says
    per token which of them it is a piece of, -1 for special tokens. A word that two windows share is
    scored in the first. Raises DataError if a word has no tag.
    """

    def __init__(self, texts: PackedTexts, words: Array, tags: Array) -> None:
        if len(words) != len(texts.ids) or words.max(initial=-1) >= len(tags):
            raise DataError(
                f"`words` must name one of the {len(tags)} tagged words for each of the {len(texts.ids)} tokens"
            )
        named, places = np.unique(words, return_index=True)
        self.texts = texts
        self.tags = np.full(len(words), IGNORED, dtype=np.int64)
        self.tags[places[named >= 0]] = tags[named[named >= 0]]

    @property
    def sizes(self) -> Array:
        return self.texts.sizes

    def collate(self, rows: Array, seed: int = 0) -> Batch:
        tags = self.tags[tokens_of(self.texts, rows)]
        at = np.flatnonzero(tags != IGNORED)
        targets = {"tags": torch.from_numpy(tags[at])}
        return Batch(self.texts.take(rows), targets, rows, at=torch.from_numpy(at))

    def logits(self, model: Tagger, batch: Batch, trace: Trace | None = None) -> dict[str, Tensor]:
        assert batch.at is not None
        return {"tags": model(batch.inputs, trace).index_select(0, batch.at).float()}
