"""Texts to texts: translations and summaries, from the source itself to a small model in 8 bits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gradatim.data.cleaning import is_summary
from gradatim.errors import ConfigError, did_you_mean
from gradatim.ladder.records import Interval, Row, Story
from gradatim.ladder.report.written import findings
from gradatim.ladder.rung import Problem, Rung, Settings
from gradatim.ladder.writing.evidence import WritingEvidence, gather_evidence
from gradatim.ladder.writing.int8 import BeamsRung, WritingInt8Rung
from gradatim.ladder.writing.judge import MEASURES, interval, scores
from gradatim.ladder.writing.lead import LeadRung
from gradatim.ladder.writing.student import StudentRung
from gradatim.ladder.writing.writers import WRITERS
from gradatim.types import Arrays, Corpus, Examples, Task


class TextGoal:
    """A text from a text."""

    rungs: tuple[Rung, ...] = (LeadRung(), *WRITERS, StudentRung(), WritingInt8Rung(), BeamsRung())
    makes = "a model that writes"
    needs: Mapping[str, tuple[str, str]] = {}

    ignores = (
        "encoder", "teacher", "language_model", "vectors", "unlabelled", "unlabelled_pairs", "augment", "few",
    )  # fmt: skip

    def named(self, name: str) -> Rung | None:
        """None but those that there are."""
        return None

    def unsuited(self, corpus: Corpus, settings: Settings) -> tuple[frozenset[str], str]:
        """None: they differ by their sizes alone."""
        return frozenset(), ""

    def metric(self, corpus: Corpus, asked: str | None) -> tuple[str, str]:
        if asked is None:
            summary = is_summary(corpus.train.texts, corpus.train.targets.tolist())
            return "rouge2" if summary else "bleu", ""
        if asked not in MEASURES:
            near = did_you_mean(asked, MEASURES)
            raise ConfigError(f"unknown metric '{asked}'{near}; known: {', '.join(MEASURES)}")
        return asked, ""

    def judge(
        self, metric: str, task: Task, examples: Examples, answers: Arrays, *, seed: int = 0
    ) -> Interval:
        return interval(metric, answers["written"].tolist(), examples.targets.tolist(), seed=seed)

    def scores(self, task: Task, examples: Examples, answers: Arrays) -> Mapping[str, float]:
        return scores(answers["written"].tolist(), examples.targets.tolist())

    def evidence(self, problem: Problem, row: Row) -> WritingEvidence:
        return gather_evidence(problem, row)

    def findings(self, story: Story) -> dict[str, Any]:
        return findings(story)
