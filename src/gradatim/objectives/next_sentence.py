"""Next-sentence prediction, with masked words in the same pass."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from gradatim.errors import ConfigError, DataError
from gradatim.models.inputs import Inputs, PackedTexts
from gradatim.models.language import LanguageModel
from gradatim.nn.pooling import pool
from gradatim.nn.stack import Trace
from gradatim.objectives.base import Batch
from gradatim.objectives.draws import uniform
from gradatim.objectives.masked import Masking
from gradatim.objectives.words import WordScored
from gradatim.text.windows import ragged
from gradatim.types import Array

SPECIALS = 3  # tokens of [CLS] A [SEP] B [SEP] that are neither A's nor B's


class NextSentence(WordScored[LanguageModel]):
    """BERT's pretraining: masked words, and whether B follows A (Devlin et al. 2019, section 3.1).

    `texts` are sentences without special tokens, in the order of their documents; `documents`
    (sentences,) names, in ascending order, the document of each. As many whole sentences as fit into
    half of `length` make a passage. An example is a passage with one after it in its document: half
    of the time that is B (class 0), else a passage of another document (class 1), drawn anew with
    every seed. So an epoch reads a text twice. Raises DataError without two documents, one of them of
    two passages.

    Differs: passages are cut once, not anew for every epoch.
    """

    def __init__(
        self,
        texts: PackedTexts,
        documents: Array,
        masking: Masking,
        *,
        length: int,
        first_id: int,
        between_id: int,
    ) -> None:
        self.ids = np.append(texts.ids, [first_id, between_id])
        self.masking = replace(masking, specials=(*masking.specials, first_id, between_id))
        if length < SPECIALS + 2:
            raise ConfigError(
                f"length {length} leaves no room for two passages and {SPECIALS} special tokens"
            )
        starts, lengths, owners = _passages(texts.sizes, documents, (length - SPECIALS) // 2)
        self.starts, self.lengths = starts, lengths
        self.first = np.flatnonzero(owners[:-1] == owners[1:])
        if not len(self.first) or owners[0] == owners[-1]:
            raise DataError("next-sentence prediction needs two documents, one of them of two passages")
        self.begin, self.end = (np.searchsorted(owners, owners, side) for side in ("left", "right"))

    @property
    def sizes(self) -> Array:
        """As if B always followed: another B may be longer, up to the length that was set."""
        return self.lengths[self.first] + self.lengths[self.first + 1] + SPECIALS

    def collate(self, rows: Array, seed: int = 0) -> Batch:
        a = self.first[rows]
        strange = uniform(seed, 3, rows) < 0.5
        b = np.where(strange, self._elsewhere(a, uniform(seed, 4, rows)), a + 1)
        one = np.ones_like(a)
        first, between = len(self.ids) - 2, len(self.ids) - 1
        starts = np.stack([one * first, self.starts[a], one * between, self.starts[b], one * between], 1)
        lengths = np.stack([one, self.lengths[a], one, self.lengths[b], one], 1)
        sizes = lengths.sum(1)
        arrays = {
            "ids": self.ids[ragged(starts.ravel(), lengths.ravel())],
            "segments": np.repeat(np.tile([0, 0, 0, 1, 1], len(rows)), lengths.ravel()),
            "lengths": sizes,
        }
        batch = self.masking.batch(Inputs.of(arrays), sizes, rows, seed)
        relation = torch.from_numpy(strange.astype(np.int64))
        return replace(batch, targets={**batch.targets, "relation": relation}, counts={})

    def _elsewhere(self, passages: Array, chance: Array) -> Array:
        """A passage of another document for each, all equally likely."""
        begin, end = self.begin[passages], self.end[passages]
        drawn = (chance * (len(self.starts) - (end - begin))).astype(np.int64)
        found: Array = np.where(drawn < begin, drawn, drawn + end - begin)
        return found

    def head(self, model: LanguageModel, name: str) -> nn.Module:
        if name != "relation":
            return model.head
        if model.relation is None:
            raise ConfigError(
                "the model has no `relation` head to say whether B follows A: build it with one"
            )
        return model.relation

    def states(self, model: LanguageModel, batch: Batch, trace: Trace | None = None) -> dict[str, Tensor]:
        inputs = batch.inputs
        assert batch.at is not None
        states = model.body(inputs.ids, inputs.layout, inputs.segments, trace)
        firsts = pool(states, inputs.layout, "first")[: len(batch.rows)]
        return {"masked": states.index_select(0, batch.at), "relation": firsts}


def _passages(sizes: Array, documents: Array, room: int) -> tuple[Array, Array, Array]:
    """Whole sentences joined while they fit, longer ones cut: starts, lengths and documents."""
    passages: list[tuple[int, int, int]] = []
    start, length, owner = 0, 0, -1
    for size, document in zip(sizes.tolist(), documents.tolist(), strict=True):
        if length and (document != owner or length + size > room):
            passages.append((start, length, owner))
            start, length = start + length, 0
        owner, length = document, length + size
        while length > room:
            passages.append((start, room, owner))
            start, length = start + room, length - room
    if length:
        passages.append((start, length, owner))
    starts, lengths, owners = np.array(passages, dtype=np.int64).reshape(-1, 3).T
    return starts, lengths, owners
