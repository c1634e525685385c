"""Texts to tags: from the most frequent tag of each word to students of a fine-tuned encoder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gradatim.errors import ConfigError, did_you_mean
from gradatim.ladder.records import Interval, Row, Story
from gradatim.ladder.report.tagged import findings
from gradatim.ladder.rung import Problem, Rung, Settings
from gradatim.ladder.rungs.students import asked_depth
from gradatim.ladder.tagging.bilstm import TagLstmRung
from gradatim.ladder.tagging.evidence import TagEvidence, gather_evidence
from gradatim.ladder.tagging.finetuned import TagFinetunedRung
from gradatim.ladder.tagging.frequent import FrequentRung
from gradatim.ladder.tagging.frozen import TagFrozenRung
from gradatim.ladder.tagging.int8 import TagInt8Rung
from gradatim.ladder.tagging.judge import interval, metrics
from gradatim.ladder.tagging.linear import TagLinearRung
from gradatim.ladder.tagging.students import TagStudent
from gradatim.pipelines.matches import said_tags, wanted_tags
from gradatim.train.kinds.tagging import scores
from gradatim.types import Arrays, Corpus, Examples, Task


class TagGoal:
    """A tag for every word."""

    rungs: tuple[Rung, ...] = (
        FrequentRung(),
        TagLinearRung(),
        TagLstmRung(),
        TagFrozenRung(),
        TagFinetunedRung(),
        TagStudent(3),
        TagStudent(2),
        TagInt8Rung(),
    )
    needs: Mapping[str, tuple[str, str]] = {}

    ignores = ("teacher", "language_model", "unlabelled", "unlabelled_pairs", "augment", "few")

    def named(self, name: str) -> Rung | None:
        """Students of any depth."""
        depth = asked_depth(name)
        return TagStudent(depth) if depth else None

    def unsuited(self, corpus: Corpus, settings: Settings) -> tuple[frozenset[str], str]:
        """None: every sentence has many tags."""
        return frozenset(), ""

    def metric(self, corpus: Corpus, asked: str | None) -> str:
        usable = metrics(corpus.task)
        if asked is not None and asked not in usable:
            near = did_you_mean(asked, usable)
            raise ConfigError(f"unknown metric '{asked}' of tags{near}; known: {', '.join(usable)}")
        return asked or usable[0]

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
