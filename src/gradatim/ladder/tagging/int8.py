"""The last rung of tagging: every neural tagger once more in int8."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from gradatim.ladder.rungs.int8 import Int8Rung, Trial
from gradatim.ladder.tagging.words import decision, spans_of
from gradatim.pipelines.matches import counts, measure, said_tags, wanted_tags
from gradatim.pipelines.tagger import SequenceTagger
from gradatim.types import Array, Examples, Session


class TagTrial(Trial):
    """Of a model that gives tags."""

    def logits(self, session: Session, examples: Examples) -> Array:
        return self._tagger(session).logits(examples.texts, spans_of(examples))[0]

    def judged(self, logits: Array) -> tuple[Mapping[str, Any], float]:
        dev = self.problem.corpus.dev
        sizes = np.array([len(words) for words in spans_of(dev)])
        said = said_tags(self.task, self._tagger(self.exact).decode(logits, sizes), sizes)
        summed = counts(said, wanted_tags(dev)).sum(axis=0)
        return decision(self.task), float(measure(self.problem.metric, summed))

    def _tagger(self, session: Session) -> SequenceTagger:
        return SequenceTagger(self.encoder, session, self.task, decision(self.task))


class TagInt8Rung(Int8Rung):
    """As of labels; what is judged is tags."""

    trial = TagTrial
