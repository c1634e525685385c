"""What the neural rungs for tags on one encoder learn: tokens and the tags of their words."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from gradatim.ladder.reader import Model, ReaderLab
from gradatim.ladder.tagging.words import decision, spans_of, tag_ids
from gradatim.models.inputs import PackedTexts
from gradatim.objectives.tagging import Tagging
from gradatim.pipelines.tagging import word_of_tokens
from gradatim.train.kinds.reading import encoded


class TaggingLab(ReaderLab):
    """With sentences and the tags of their words."""

    @cached_property
    def learned(self) -> Tagging:
        """The training sentences, each word's tag at its first piece."""
        train = self.corpus.train
        tokens = encoded(self.pieces, train.texts)
        words = word_of_tokens(tokens, spans_of(train))
        return Tagging(PackedTexts(tokens), words, tag_ids(self.corpus.task, train))

    @property
    def num_outputs(self) -> int:
        return len(self.corpus.task.labels)

    def decision(self, model: Model) -> Mapping[str, Any]:
        return decision(self.corpus.task)
