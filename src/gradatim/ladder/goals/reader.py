"""What the goals share whose models read with one encoder: students, metrics, and what they have no use for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from gradatim.errors import ConfigError, did_you_mean
from gradatim.ladder.reader import ReaderLab, ReaderStudent
from gradatim.ladder.rung import Rung, Settings
from gradatim.ladder.rungs.students import asked_depth
from gradatim.types import Corpus, Task


class ReaderGoal(ABC):
    """Models that read with the encoder of a lab; `what` are their answers."""

    lab: ClassVar[type[ReaderLab]]
    what: ClassVar[str]
    makes: str

    needs: Mapping[str, tuple[str, str]] = {}

    ignores: tuple[str, ...] = (
        "teacher",
        "language_model",
        "unlabelled",
        "unlabelled_pairs",
        "augment",
        "few",
    )

    @abstractmethod
    def metrics(self, task: Task) -> tuple[str, ...]:
        """Those that a choice may be made by; the first is the usual one."""

    def named(self, name: str) -> Rung | None:
        """Students of any depth."""
        depth = asked_depth(name)
        return ReaderStudent(depth, kind=self.lab) if depth else None

    def unsuited(self, corpus: Corpus, settings: Settings) -> tuple[frozenset[str], str]:
        """None: whatever there is to learn from is much."""
        return frozenset(), ""

    def metric(self, corpus: Corpus, asked: str | None) -> tuple[str, str]:
        usable = self.metrics(corpus.task)
        if asked is not None and asked not in usable:
            near = did_you_mean(asked, usable)
            raise ConfigError(f"unknown metric '{asked}' of {self.what}{near}; known: {', '.join(usable)}")
        return asked or usable[0], ""
