"""What the neural rungs for tags on one encoder learn: tokens and the tags of their words."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from gradatim.engine.manifest import JSON
from gradatim.ladder.reader import Model, ReaderLab
from gradatim.ladder.rung import Problem
from gradatim.ladder.tagging.words import decision, spans_of, tag_ids
from gradatim.models.backbone import Backbone, BackboneConfig
from gradatim.models.encoders import told_of_capitals
from gradatim.models.inputs import PackedTexts
from gradatim.objectives.tagging import Tagging
from gradatim.pipelines.reader import shared
from gradatim.pipelines.tagging import word_of_tokens
from gradatim.text.capitals import CapitalEncoder, Capitals, folds_case
from gradatim.train.kinds.reading import encoded
from gradatim.types import CAPITALS


class TaggingLab(ReaderLab):
    """With sentences and the tags of their words.

    Models are told of capitals where the tokenizer makes all letters small: names have them.
    """

    def __init__(self, problem: Problem, encoder: str, shared: Path) -> None:
        super().__init__(problem, encoder, shared)
        self.capitals = isinstance(self.config, BackboneConfig) and folds_case(self.pieces.tokenizer)
        if self.capitals:
            self.pieces = CapitalEncoder(self.tokenizer, max_length=self.pieces.max_length)

    @property
    def settings(self) -> dict[str, JSON]:
        """Windows of a finished model overlap, so that a word at the border of one is read with what is around it."""
        length = self.pieces.max_length
        return {**super().settings, "stride": min(shared(length), self.pieces.shareable(length))}

    @property
    def marks(self) -> dict[str, int]:
        """What models from nothing are told of words besides."""
        return {CAPITALS: len(Capitals)} if self.capitals else {}

    def bert(self) -> Backbone:
        body = super().bert()
        return told_of_capitals(body) if self.capitals else body

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
