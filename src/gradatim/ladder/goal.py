"""What a ladder is climbed for: all that differs between kinds of answers (labels, tags, spans, choices, texts)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from gradatim.ladder.records import Interval, Row, Story
from gradatim.ladder.rung import Problem, Rung, Settings
from gradatim.types import Arrays, Corpus, Examples, Task


class Goal(Protocol):
    """The rungs to climb, how answers are judged, and what is told of them.

    `answers` are what a pipeline's method of that name returns for the texts of `examples`.
    """

    @property
    def rungs(self) -> Sequence[Rung]:
        """From the bottom to the top."""
        ...

    def named(self, name: str) -> Rung | None:
        """A rung that is there when asked for, beside those that are always there."""
        ...

    @property
    def makes(self) -> str:
        """What it makes, as errors say it."""
        ...

    @property
    def needs(self) -> Mapping[str, tuple[str, str]]:
        """Rungs that there are only where a field of `Settings` names something: that field, and what it names."""
        ...

    @property
    def ignores(self) -> Sequence[str]:
        """Fields of `Settings` that it has no use for."""
        ...

    def unsuited(self, corpus: Corpus, settings: Settings) -> tuple[frozenset[str], str]:
        """Rungs that such data has no use for, climbed only where they are named, and a note that says why."""
        ...

    def metric(self, corpus: Corpus, asked: str | None) -> tuple[str, str]:
        """The metric asked for or the one that suits, and a note where that is not the usual one.

        Raises ConfigError for one that cannot judge a choice.
        """
        ...

    def judge(
        self, metric: str, task: Task, examples: Examples, answers: Arrays, *, seed: int = 0
    ) -> Interval:
        """The metric of answers, with its interval."""
        ...

    def scores(self, task: Task, examples: Examples, answers: Arrays) -> Mapping[str, float]:
        """All metrics by name."""
        ...

    def evidence(self, problem: Problem, row: Row) -> Any:
        """What the report tells of a candidate beyond its figures."""
        ...

    def findings(self, story: Story) -> dict[str, Any]:
        """What the goal's own sections of the report show: `titles` of the sections, and their names there."""
        ...


def goal_of(task: Task) -> Goal:
    """The goal of a task."""
    if task.writes:
        from gradatim.ladder.goals.texts import TextGoal

        return TextGoal()
    if task.kind == "tagging":
        from gradatim.ladder.goals.tags import TagGoal

        return TagGoal()
    if task.kind == "span":
        from gradatim.ladder.goals.spans import SpanGoal

        return SpanGoal()
    if task.kind == "choice":
        from gradatim.ladder.goals.choices import ChoiceGoal

        return ChoiceGoal()
    from gradatim.ladder.goals.labels import LabelGoal

    return LabelGoal()
