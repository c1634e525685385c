"""What a rung of the ladder is, and what it is given to climb with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from gradatim.types import Candidate, Corpus

if TYPE_CHECKING:
    from gradatim.ladder.goal import Goal

Precision = Literal["auto", "bf16", "fp32"]


@dataclass(frozen=True, slots=True)
class Settings:
    """What the user may turn, beside the data and the budget.

    `encoder` names a local folder, a catalog name or a hub id of the BERT family; `teacher`, named alike, is
    an encoder that teaches the students and may be larger than anything shipped; `language_model` is the folder of a
    recurrent one that `gradatim train` made, for the rung ulmfit; `vectors` is a file or catalog
    name of static vectors or None (trained). `unlabelled` are extra texts for distillation, `augment` adds
    edited ones. `few` says whether the rungs for few labels are climbed (None: by how many there are). `tolerance` is
    the loss in metric that int8 may cause on dev, `max_length` the window in tokens, specials included, `precision`
    "auto", "bf16" or "fp32" for training.
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

    `folder` is the rung's own, `shared` is for what several rungs use (frozen features, the
    teacher); `below` holds the candidates made so far with their dev quality, best last.
    `limit_s` is the training time left, if the budget names one. `say` prints one line of progress;
    `progress` is called with the share of work done. `cache` lives as long as the climb.
    """

    corpus: Corpus
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

    @property
    def goal(self) -> Goal:
        """What is climbed for."""
        from gradatim.ladder.goal import goal_of

        return goal_of(self.corpus.task)


class Rung(Protocol):
    """One step of the ladder: estimates its cost, trains, exports.

    A rung that has `can_shorten = True` takes fewer epochs when `Problem.limit_s` asks for it.
    """

    @property
    def name(self) -> str: ...

    def cost_s(self, problem: Problem) -> float:
        """Estimated training seconds on this machine."""
        ...

    def fit(self, problem: Problem) -> list[Candidate]:
        """Train and export; each candidate's artifact lies in `problem.folder`."""
        ...
