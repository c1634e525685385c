"""Models whose answers are spans of a context: what they learn, when they say nothing, and their int8 form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from gradatim.data.questions import Question
from gradatim.engine.artifact import Artifact
from gradatim.ladder.reader import Model, ReaderLab
from gradatim.ladder.rung import Problem
from gradatim.ladder.rungs.int8 import Int8Rung, Trial
from gradatim.models.encoders import encoder_for
from gradatim.models.inputs import PackedTexts
from gradatim.models.session import TorchSession
from gradatim.objectives.span import Span
from gradatim.pipelines.answers import MAX_LENGTH, QuestionAnswering
from gradatim.pipelines.judged import SpanRows, span_scores, wanted_spans
from gradatim.pipelines.reader import Reader, shared
from gradatim.pipelines.spans import Answer
from gradatim.pipelines.squad import best_threshold
from gradatim.train.kinds.reading import encoded
from gradatim.train.kinds.spans import answer_rows, lost
from gradatim.types import Array, Corpus, Encoded, Encoder, Examples, Session


class SpanLab(ReaderLab):
    """With questions and the places of their answers; windows are those in which a finished model reads."""

    num_outputs = 2

    def __init__(self, problem: Problem, encoder: str, shared_folder: Path) -> None:
        super().__init__(problem, encoder, shared_folder)
        length = min(self.pieces.max_length, MAX_LENGTH)
        self.pieces = encoder_for(self.config, self.tokenizer, max_length=length, stride=shared(length))

    @cached_property
    def learned(self) -> Span:
        """The training questions beside their contexts."""
        for note in lost(self._read, questions(self.corpus.train), self._places):
            self.problem.say(note)
        return Span(PackedTexts(self._read), self._places)

    def decision(self, model: Model) -> Mapping[str, Any]:
        longest = int((self._places[:, 1] - self._places[:, 0]).max()) + 1
        rows = span_rows(
            TorchSession(model, bf16=self.bf16), self.pieces, self.tokenizer, {"longest": longest}
        )
        dev = self.corpus.dev
        return decided(self.corpus, rows.spans(*rows.logits(dev), dev.pairs or ()), longest)

    @cached_property
    def _read(self) -> Encoded:
        return encoded(self.pieces, self.corpus.train.texts, self.corpus.train.pairs)

    @cached_property
    def _places(self) -> Array:
        """The first and the last token of the answer in each row."""
        return answer_rows(self._read, questions(self.corpus.train))


def questions(examples: Examples) -> list[Question]:
    """Examples as they were read."""
    columns = (examples.texts, examples.pairs or (), map(tuple, wanted_spans(examples)))
    return [Question(*row) for row in zip(*columns, strict=True)]


def span_rows(
    session: Session, encoder: Encoder, tokenizer: str | None, decision: Mapping[str, Any]
) -> SpanRows:
    """A model before it is a file, asked as the file will be."""
    reader = Reader(
        kind="span", session=session, encoder=encoder, tokenizer=tokenizer, pairs=True, decision=decision
    )
    return SpanRows(QuestionAnswering(reader))


def decided(corpus: Corpus, spans: Sequence[Answer], longest: int) -> dict[str, Any]:
    """How long answers are, and, if training knows questions without one, by how much one must be likelier than none:
    the best for dev.
    """
    if all(wanted_spans(corpus.train)):
        return {"longest": longest}
    wanted = [question.texts for question in questions(corpus.dev)]
    return {"longest": longest, "threshold": best_threshold(spans, wanted)[0]}


class SpanTrial(Trial):
    """Of a model that gives spans."""

    def __init__(self, problem: Problem, artifact: Artifact) -> None:
        super().__init__(problem, artifact)
        self.tokenizer = artifact.member("tokenizer.json").decode("utf-8")
        self.decision: Mapping[str, Any] = artifact.decision

    def logits(self, session: Session, examples: Examples) -> Array:
        return self._rows(session).logits(examples)[0]

    def judged(self, logits: Array) -> tuple[Mapping[str, Any], float]:
        corpus = self.problem.corpus
        spans = self._rows(self.exact).spans(logits, self._dev, corpus.dev.pairs or ())
        decision = decided(corpus, spans, int(self.decision["longest"]))
        least = decision.get("threshold", -np.inf)
        places = np.array([(one.start, one.end) if one.score > least else (0, 0) for one in spans])
        said = {"starts": places[:, 0], "ends": places[:, 1]}
        return decision, float(span_scores(corpus.dev, said)[self.problem.metric].mean())

    @cached_property
    def _dev(self) -> Encoded:
        dev = self.problem.corpus.dev
        return self._rows(self.exact).ask.asked(dev.texts, dev.pairs or ())[0]

    def _rows(self, session: Session) -> SpanRows:
        return span_rows(session, self.encoder, self.tokenizer, self.decision)


class SpanInt8Rung(Int8Rung):
    """As of labels; what is judged is answers."""

    trial = SpanTrial
