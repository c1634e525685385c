"""The records of a finished climb: what was measured, what was chosen, and the story told of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from gradatim.types import Array, Arrays, Budget, Candidate, Corpus, Measurement


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Row:
    """A candidate together with its measured figures."""

    candidate: Candidate
    measurement: Measurement

    @property
    def name(self) -> str:
        """The candidate's name, as it stands in the table."""
        return self.candidate.name

    @property
    def quality(self) -> Interval:
        """The metric on dev with its interval."""
        return Interval(self.measurement.quality, self.measurement.low, self.measurement.high)


@dataclass(frozen=True, slots=True)
class Choice:
    """What the budget buys, and why.

    `best` has the highest quality inside the budget, `chosen` is the cheapest that is as good
    within its interval, `runner_up` the one to compare it with. If nothing fits, these are None,
    `nearest` is the row that misses the budget by least, and `reasons` say what to relax.
    """

    budget: Budget
    chosen: Row | None
    runner_up: Row | None
    best: Row | None
    nearest: Row | None
    reasons: tuple[str, ...]

    @property
    def fits(self) -> bool:
        """Whether any candidate lies inside the budget."""
        return self.chosen is not None

    @property
    def subject(self) -> Row:
        """The row that is talked about: the chosen one, or the nearest if nothing fits."""
        row = self.chosen or self.nearest
        assert row is not None, "a choice names a chosen or a nearest row"
        return row


@dataclass(frozen=True, slots=True)
class Dropped:
    """A rung that gave no candidate: not run (`skipped`), or stopped by the int8 gate (`refused`)."""

    name: str
    why: str
    kind: Literal["skipped", "refused"] = "skipped"


Result = Row | Dropped


@dataclass(frozen=True, slots=True)
class LearningPoint:
    """Quality on dev of a cheap model that saw `num_labels` training examples."""

    num_labels: int
    quality: Interval


@dataclass(frozen=True, slots=True)
class Doubt:
    """An example whose label is contradicted: a mistake on dev, or a suspect label in training.

    `other` is the model's answer in place of `label`, `probability` how sure the model is of it.
    """

    row: int
    label: str
    other: str
    probability: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known about the chosen model (or the nearest) beyond its figures.

    `probabilities` (n, labels) are its answers on dev, `thresholds` (labels,) or each text's own (n, labels);
    `lengths` (n,) the sizes of the dev texts in tokens or words, as `length_unit` says.
    """

    probabilities: Array
    thresholds: Array | None
    lengths: Array
    length_unit: str
    learning: Sequence[LearningPoint]
    suspects: Sequence[Doubt]

    def answers(self, rows: Array) -> Arrays:
        """Those on some of the dev texts."""
        said = {"probabilities": self.probabilities[rows]}
        if self.thresholds is not None:
            said["thresholds"] = self.thresholds[rows] if self.decided_apart else self.thresholds
        return said

    @property
    def decided_apart(self) -> bool:
        """Whether each dev text is decided by thresholds that were fitted on others."""
        return self.thresholds is not None and self.thresholds.ndim == 2


@dataclass(frozen=True, slots=True)
class Story:
    """Everything the report and the model card tell of one climb.

    `evidence` is what its goal gathers: an `Evidence` of labels, for one. `tests` are candidates' qualities on the
    test split, which is touched once; `manifest` is printed as it is, and its `processor` is also quoted in a sentence.
    """

    corpus: Corpus
    metric: str
    rows: Sequence[Row]
    choice: Choice
    evidence: Any
    manifest: Mapping[str, str]
    dropped: Sequence[Dropped]
    tests: Mapping[str, Interval]

    def made_s(self, candidate: Candidate) -> float:
        """Training seconds of a candidate and of all that it was made from."""
        sources = {row.name: row.candidate for row in self.rows}
        source = sources.get(candidate.source or "")
        return candidate.made_s + (self.made_s(source) if source else 0.0)
