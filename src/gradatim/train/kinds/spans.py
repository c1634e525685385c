"""kind = "span": the answer to a question is a stretch of its context."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gradatim.checkpoint.config import ModelConfig
from gradatim.data.answered import SPANS
from gradatim.data.questions import Question
from gradatim.models.encoders import encoder_for
from gradatim.models.inputs import PackedTexts
from gradatim.objectives.span import Span
from gradatim.pipelines.spans import best_answers
from gradatim.pipelines.squad import best_threshold, squad_scores
from gradatim.text.pieces import PieceEncoder
from gradatim.train.build import Materials, Prepared
from gradatim.train.kinds.reading import annotated, encoded, logits
from gradatim.types import Array, Encoded


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanSettings:
    """kind = "span": answers as spans of a context, judged by token F1 on dev (SQuAD), where there may be none at
    the best threshold.

    stride     tokens that neighbouring windows of a context share, where `max_length` does not hold it; a quarter
               of that unless given
    longest    tokens of an answer, at most
    no_answer  whether dev questions may be said to have no answer (SQuAD 2.0); training knows them anyway
    threshold  by how much the best span must exceed having no answer; the best one for dev is reported beside
    """

    stride: int | None = None
    longest: int = 30
    no_answer: bool = True
    threshold: float = 0.0

    def prepare(self, materials: Materials) -> Prepared:
        train, dev, note = annotated(materials, SPANS)
        length = materials.data.max_length
        stride = length // 4 if self.stride is None else self.stride
        pieces = encoder_for(materials.body, materials.tokenizer_json, max_length=length, stride=stride)
        inputs, held = _tokens(pieces, train), _tokens(pieces, dev, places=True)
        rows = answer_rows(inputs, train)
        config = ModelConfig(kind="span", body=materials.body, num_outputs=2)
        model = materials.build(config)
        contexts, wanted = [question.context for question in dev], [question.texts for question in dev]

        def metrics() -> Mapping[str, float]:
            said = logits(model, materials.recipe, held.arrays)
            spans = best_answers(said, held, contexts, longest=self.longest)
            if not self.no_answer:
                return squad_scores([span.text for span in spans], wanted)
            answers = [span.text if span.score > self.threshold else "" for span in spans]
            threshold, f1 = best_threshold(spans, wanted)
            return {**squad_scores(answers, wanted), "best_f1": f1, "best_threshold": threshold}

        notes = (note, *lost(inputs, train, rows))
        made = Prepared(model, config, Span(PackedTexts(inputs), rows), None, materials.tokenizer_json, notes)
        return made.judged(metrics, "best_f1" if self.no_answer else "f1")


def answer_rows(encoded: Encoded, questions: Sequence[Question]) -> Array:
    """First and last token of each row's answer, counted from its start, int64 (rows, 2).

    (0, 0) where the row does not hold the whole answer. Of several annotations the first counts.
    """
    arrays, lengths = encoded.arrays, encoded.arrays["lengths"]
    nowhere = (-1, -1)
    spans = np.array([_trimmed(q.context, *q.answers[0]) if q.answers else nowhere for q in questions])
    begin, end = np.repeat(spans[encoded.owners], lengths, axis=0).T
    context = arrays["origins"] == 1
    first = context & (arrays["starts"] <= begin) & (begin < arrays["ends"])
    last = context & (arrays["starts"] < end) & (end <= arrays["ends"])
    row = np.repeat(np.arange(len(lengths)), lengths)
    place = np.arange(len(row)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    rows = np.full((len(lengths), 2), -1, dtype=np.int64)
    for side, holds in enumerate((first, last)):
        np.maximum.at(rows[:, side], row[holds], place[holds])
    rows[(rows < 0).any(axis=1) | (rows[:, 1] < rows[:, 0])] = 0
    return rows


def _tokens(pieces: PieceEncoder, questions: Sequence[Question], **more: bool) -> Encoded:
    return encoded(pieces, [q.question for q in questions], [q.context for q in questions], **more)


def _trimmed(context: str, start: int, end: int) -> tuple[int, int]:
    """An answer without white space at its ends, which no token stands for."""
    text = context[start:end]
    return end - len(text.lstrip()), start + len(text.rstrip())


def lost(encoded: Encoded, questions: Sequence[Question], rows: Array) -> list[str]:
    """A note on the answers that no window holds whole."""
    held = np.bincount(encoded.owners, weights=rows[:, 1] > 0, minlength=len(questions)) > 0
    count = sum(bool(question.answers) and not there for question, there in zip(questions, held, strict=True))
    return [f"{count} answers fit into no window; raise stride or max_length"] if count else []
