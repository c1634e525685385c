"""The records of a finished climb: what was measured, what was chosen, and the story told of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from gradatim.types import Array, Budget, Candidate, Corpus, Measurement


@dataclass(frozen=True, slots=True)
class Row:
    """A candidate together with its measured figures."""

    candidate: Candidate
    measurement: Measurement

    @property
    def name(self) -> str:
        """The candidate's name, as it stands in the table."""
        return self.candidate.name


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


@dataclass(frozen=True, slots=True)
class Dropped:
    """A rung that gave no candidate: not run (`skipped`), or stopped by the int8 gate (`refused`)."""

    name: str
    why: str
    kind: Literal["skipped", "refused"] = "skipped"


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class LearningPoint:
    """Quality on dev of a cheap model that saw `num_labels` training examples."""

    num_labels: int
    quality: Interval


@dataclass(frozen=True, slots=True)
class Mistake:
    """A dev text the model gets wrong; probabilities are the model's, of `predicted` and of `gold`."""

    row: int
    text: str
    pair: str | None
    gold: str
    predicted: str
    probability: float
    gold_probability: float


@dataclass(frozen=True, slots=True)
class Suspect:
    """A training text whose given label is probably an error, with the label that fits better."""

    row: int
    text: str
    pair: str | None
    given: str
    likely: str
    given_probability: float
    likely_probability: float


@dataclass(frozen=True, slots=True)
class TestResult:
    """Quality of one candidate on the test split, which is touched once."""

    name: str
    quality: Interval

    __test__ = False  # the name is the field's word; pytest need not look inside


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known about the chosen model (or the nearest) beyond its figures.

    `probabilities` (n, labels) are its answers on dev; `lengths` (n,) the sizes of the dev texts in
    tokens or words, as `length_unit` says; None counts words separated by blanks.
    """

    probabilities: Array
    thresholds: Array | None = None
    lengths: Array | None = None
    length_unit: str = "words"
    learning: Sequence[LearningPoint] = ()
    suspects: Sequence[Suspect] = ()


@dataclass(frozen=True, slots=True)
class Story:
    """Everything the report and the model card tell of one climb.

    `manifest` is printed as it is: data hash, seeds, versions, processor, threads, command;
    its `processor` and `command` are also quoted in sentences.
    """

    corpus: Corpus
    metric: str
    rows: Sequence[Row]
    choice: Choice
    evidence: Evidence | None
    manifest: Mapping[str, str]
    dropped: Sequence[Dropped] = ()
    tests: Sequence[TestResult] = ()
