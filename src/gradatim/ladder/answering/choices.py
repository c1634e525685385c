"""Models that choose one of several answers: what they learn, and their int8 form."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np

from gradatim.ladder.reader import Model, ReaderLab
from gradatim.ladder.rungs.int8 import Int8Rung, Trial
from gradatim.models.inputs import PackedTexts
from gradatim.objectives.choice import Choice
from gradatim.pipelines.choices import MultipleChoice
from gradatim.pipelines.judged import ChoiceRows, choice_scores, each_choice
from gradatim.pipelines.reader import Reader
from gradatim.train.kinds.reading import encoded
from gradatim.types import Array, Arrays, Examples, Session


class ChoiceLab(ReaderLab):
    """With contexts, beside each one of the answers to a question."""

    num_outputs = 1

    @cached_property
    def learned(self) -> Choice:
        """The training questions, each with all its choices."""
        texts, pairs, counts = each_choice(self.corpus.train)
        return Choice(PackedTexts(encoded(self.pieces, texts, pairs)), counts, self.corpus.train.targets)

    def decision(self, model: Model) -> Mapping[str, Any]:
        return {}


class ChoiceTrial(Trial):
    """Of a model that chooses."""

    def read(self, examples: Examples) -> Arrays:
        return self.encoder.encode(*each_choice(examples)[:2]).arrays

    def logits(self, session: Session, examples: Examples) -> Array:
        reader = Reader(kind="choice", session=session, encoder=self.encoder, pairs=True)
        return ChoiceRows(MultipleChoice(reader)).logits(examples)

    def judged(self, logits: Array) -> tuple[Mapping[str, Any], float]:
        dev = self.problem.corpus.dev
        ends = np.cumsum(each_choice(dev)[2])
        chosen = np.array([int(own.argmax()) for own in np.split(logits[:, 0], ends[:-1])])
        return {}, float(choice_scores(dev, {"chosen": chosen}).mean())


class ChoiceInt8Rung(Int8Rung):
    """As of labels; what is judged is choices."""

    trial = ChoiceTrial
