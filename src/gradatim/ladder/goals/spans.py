"""Questions to spans of their contexts: from words near those of the question to students of a fine-tuned encoder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gradatim.ladder.answering.evidence import AnswerEvidence, gather_evidence
from gradatim.ladder.answering.overlap import SpanOverlapRung
from gradatim.ladder.answering.spans import SpanInt8Rung, SpanLab
from gradatim.ladder.goals.reader import ReaderGoal
from gradatim.ladder.intervals import of_mean
from gradatim.ladder.reader import FinetunedReader, ReaderStudent
from gradatim.ladder.records import Interval, Row, Story
from gradatim.ladder.report.answered import span_findings
from gradatim.ladder.rung import Problem, Rung
from gradatim.pipelines.judged import span_metrics, span_scores
from gradatim.types import Arrays, Examples, Task


class SpanGoal(ReaderGoal):
    """An answer in its context, or none."""

    lab, what, makes = SpanLab, "answers", "a model that answers"

    rungs: tuple[Rung, ...] = (
        SpanOverlapRung(),
        FinetunedReader(SpanLab, steps=1200),
        ReaderStudent(3, kind=SpanLab),
        ReaderStudent(2, kind=SpanLab),
        SpanInt8Rung(),
    )

    def metrics(self, task: Task) -> tuple[str, ...]:
        return ("f1", "exact_match")

    def judge(
        self, metric: str, task: Task, examples: Examples, answers: Arrays, *, seed: int = 0
    ) -> Interval:
        return of_mean(span_scores(examples, answers)[metric], seed=seed)

    def scores(self, task: Task, examples: Examples, answers: Arrays) -> Mapping[str, float]:
        return span_metrics(examples, answers)

    def evidence(self, problem: Problem, row: Row) -> AnswerEvidence:
        return gather_evidence(row, problem.corpus.dev.pairs or ())

    def findings(self, story: Story) -> dict[str, Any]:
        return span_findings(story)
