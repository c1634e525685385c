"""Questions to one of several answers: from the words that choice and context share to students of an encoder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gradatim.ladder.answering.choices import ChoiceInt8Rung, ChoiceLab
from gradatim.ladder.answering.evidence import AnswerEvidence, gather_evidence
from gradatim.ladder.answering.overlap import ChoiceOverlapRung
from gradatim.ladder.goals.reader import ReaderGoal
from gradatim.ladder.intervals import of_mean
from gradatim.ladder.reader import FinetunedReader, ReaderStudent
from gradatim.ladder.records import Interval, Row, Story
from gradatim.ladder.report.answered import choice_findings
from gradatim.ladder.rung import Problem, Rung
from gradatim.pipelines.judged import choice_metrics, choice_scores
from gradatim.types import Arrays, Examples, Task


class ChoiceGoal(ReaderGoal):
    """The right one of several answers."""

    lab, what, makes = ChoiceLab, "choices", "a model that chooses"

    rungs: tuple[Rung, ...] = (
        ChoiceOverlapRung(),
        FinetunedReader(ChoiceLab, steps=600),
        ReaderStudent(3, kind=ChoiceLab),
        ReaderStudent(2, kind=ChoiceLab),
        ChoiceInt8Rung(),
    )

    def metrics(self, task: Task) -> tuple[str, ...]:
        return ("accuracy",)

    def judge(
        self, metric: str, task: Task, examples: Examples, answers: Arrays, *, seed: int = 0
    ) -> Interval:
        return of_mean(choice_scores(examples, answers), seed=seed)

    def scores(self, task: Task, examples: Examples, answers: Arrays) -> Mapping[str, float]:
        return choice_metrics(examples, answers)

    def evidence(self, problem: Problem, row: Row) -> AnswerEvidence:
        return gather_evidence(row, problem.corpus.dev.texts)

    def findings(self, story: Story) -> dict[str, Any]:
        return choice_findings(story)
