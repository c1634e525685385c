"""Texts to tags: from the most frequent tag of each word to students of a fine-tuned encoder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gradatim.ladder.goals.reader import ReaderGoal
from gradatim.ladder.reader import FinetunedReader, ReaderStudent
from gradatim.ladder.records import Interval, Row, Story
from gradatim.ladder.report.tagged import findings
from gradatim.ladder.rung import Problem, Rung
from gradatim.ladder.tagging.bilstm import TagLstmRung
from gradatim.ladder.tagging.elmo import TagElmoRung
from gradatim.ladder.tagging.evidence import TagEvidence, gather_evidence
from gradatim.ladder.tagging.frequent import FrequentRung
from gradatim.ladder.tagging.frozen import TagFrozenRung
from gradatim.ladder.tagging.int8 import TagInt8Rung
from gradatim.ladder.tagging.judge import interval, metrics
from gradatim.ladder.tagging.lab import TaggingLab
from gradatim.ladder.tagging.linear import TagLinearRung
from gradatim.pipelines.matches import said_tags, wanted_tags
from gradatim.train.kinds.tagging import scores
from gradatim.types import Arrays, Examples, Task


class TagGoal(ReaderGoal):
    """A tag for every word."""

    lab, what, makes = TaggingLab, "tags", "a tagger"

    rungs: tuple[Rung, ...] = (
        FrequentRung(),
        TagLinearRung(),
        TagLstmRung(),
        TagFrozenRung(),
        TagElmoRung(),
        FinetunedReader(TaggingLab, steps=1800),
        ReaderStudent(3, kind=TaggingLab),
        ReaderStudent(2, kind=TaggingLab),
        TagInt8Rung(),
    )

    needs: Mapping[str, tuple[str, str]] = {
        TagElmoRung.name: ("language_model", "a folder of `gradatim train`")
    }
    ignores = tuple(name for name in ReaderGoal.ignores if name != "language_model")

    def metrics(self, task: Task) -> tuple[str, ...]:
        return metrics(task)

    def judge(
        self, metric: str, task: Task, examples: Examples, answers: Arrays, *, seed: int = 0
    ) -> Interval:
        return interval(metric, task, examples, answers, seed=seed)

    def scores(self, task: Task, examples: Examples, answers: Arrays) -> Mapping[str, float]:
        return scores(wanted_tags(examples), said_tags(task, answers["tags"], answers["sizes"]))

    def evidence(self, problem: Problem, row: Row) -> TagEvidence:
        return gather_evidence(problem, row)

    def findings(self, story: Story) -> dict[str, Any]:
        return findings(story)
