"""What a ladder is made of: a rung, what it is given to climb with, and what is climbed for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from gradatim.ladder.records import Interval, Row, Story
from gradatim.types import Arrays, Candidate, Corpus, Examples, Task

Precision = Literal["auto", "bf16", "fp32"]


@dataclass(frozen=True, slots=True)
class Settings:
    """What the user may turn, beside the data and the budget.

    `encoder` names a local folder, a catalog name or a hub id of the BERT family; `teacher`, named alike, is an
    encoder that teaches the students and may be larger than anything shipped; `language_model` is the folder of a
    recurrent one that `gradatim train` made, for the rung ulmfit, or of an ELMo, for the rung elmo; `vectors` is a
    file or catalog name of static vectors or None (trained). `unlabelled` are extra texts for distillation,
    `augment` adds edited ones. `few` says whether the rungs for few labels are climbed (None: by how many there
    are). `tolerance` is the loss in metric that int8 may cause on dev, `max_length` the window in tokens, specials
    included, `epochs` how often every rung that trains a network goes through the training texts, whatever the
    budget, `precision` "auto", "bf16" or "fp32" for training.
    """

    encoder: str = "minilm-l6"
    teacher: str | None = None
    language_model: str | None = None
    vectors: str | None = None
    unlabelled: Sequence[str] = ()
    unlabelled_pairs: Sequence[str] | None = None
    augment: bool = True
    few: bool | None = None
    tolerance: float = 0.005
    max_length: int = 256
    epochs: float | None = None
    precision: Precision = "auto"

    def planned(self, usual: float) -> float:
        """How many epochs a rung will take: those that were asked for, else its usual number."""
        return usual if self.epochs is None else self.epochs


@dataclass(frozen=True, slots=True)
class Problem:
    """One climb as a rung sees it.

    `goal` is what is climbed for. `folder` is the rung's own, `shared` is for what several rungs use (frozen
    features, the teacher); `below` holds the candidates made so far with their dev quality, best last.
    `limit_s` is the training time left, if the budget names one. `say` prints one line of progress;
    `progress` is called with the share of work done. `cache` lives as long as the climb.
    """

    corpus: Corpus
    goal: Goal
    folder: Path
    shared: Path
    metric: str
    seed: int = 0
    threads: int = 1
    settings: Settings = field(default_factory=Settings)
    below: tuple[tuple[Candidate, float], ...] = ()
    say: Callable[[str], None] = lambda _message: None
    progress: Callable[[float], None] = lambda _share: None
    limit_s: float | None = None
    cache: dict[str, Any] = field(default_factory=dict)


class Rung(Protocol):
    """One step of the ladder: estimates its cost, trains, exports.

    A rung that has `can_shorten = True` takes fewer epochs when `Problem.limit_s` asks for it; `shortest`, if it has
    one, is the share of them that it can do with.
    """

    @property
    def name(self) -> str: ...

    def cost_s(self, problem: Problem) -> float:
        """Estimated training seconds on this machine."""
        ...

    def fit(self, problem: Problem) -> list[Candidate]:
        """Train and export; each candidate's artifact lies in `problem.folder`."""
        ...


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
