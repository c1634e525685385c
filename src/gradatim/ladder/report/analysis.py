"""What the model's dev answers say: confusions, calibration, quality by text length, F1 of every label."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gradatim.ladder.records import Interval, Story
from gradatim.ladder.rung import Goal
from gradatim.types import Array, Task

BINS = 10
MAX_SLICES = 5
MIN_SLICE = 20


@dataclass(frozen=True, slots=True)
class Confusion:
    """Texts of label `gold` that were called `predicted`; `share` is of all texts of `gold`."""

    gold: str
    predicted: str
    count: int
    share: float


@dataclass(frozen=True, slots=True)
class Slice:
    """Texts between `shortest` and `longest` (inclusive), and the quality on them."""

    shortest: int
    longest: int
    count: int
    quality: Interval


@dataclass(frozen=True, slots=True)
class Bin:
    """Answers of similar confidence: how sure they are on average, and how often right."""

    confidence: float
    accuracy: float
    count: int


def confusion_matrix(task: Task, targets: Array, probabilities: Array) -> Array:
    """Counts (gold, predicted)."""
    k = len(task.labels)
    cells = np.bincount(targets * k + probabilities.argmax(1), minlength=k * k)
    return cells.reshape(k, k)


def most_confused(task: Task, matrix: Array, limit: int = 15) -> list[Confusion]:
    """The largest cells off the diagonal, largest first."""
    wrong = np.where(np.eye(len(matrix), dtype=bool), 0, matrix)
    order = np.argsort(-wrong, axis=None, kind="stable")[:limit]
    cells = [divmod(int(cell), len(matrix)) for cell in order]
    return [
        Confusion(task.labels[g], task.labels[p], int(matrix[g, p]), float(matrix[g, p] / matrix[g].sum()))
        for g, p in cells
        if wrong[g, p] > 0
    ]


def reliability(task: Task, targets: Array, probabilities: Array) -> list[Bin]:
    """Confidence against accuracy in ten equal bins (Guo et al. 2017, fig. 1), empty bins left out.

    One answer per text; in a multi-label task one per text and label.
    """
    if task.multi_label:
        confidence, hit = probabilities.ravel(), targets.ravel() > 0.5
    else:
        confidence, hit = probabilities.max(1), probabilities.argmax(1) == targets
    place = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    counts = np.bincount(place, minlength=BINS)
    sure = np.bincount(place, confidence.astype(np.float64), minlength=BINS)
    right = np.bincount(place, hit.astype(np.float64), minlength=BINS)
    return [
        Bin(float(s / n), float(r / n), int(n)) for s, r, n in zip(sure, right, counts, strict=True) if n > 0
    ]


def by_length(story: Story, goal: Goal) -> list[Slice]:
    """Quality on up to five groups of texts of similar length and about equal number."""
    evidence, lengths = story.evidence, story.evidence.lengths
    groups = min(MAX_SLICES, max(1, len(lengths) // MIN_SLICE))
    edges = np.unique(np.quantile(lengths, np.linspace(0, 1, groups + 1)[1:-1], method="higher"))
    group = np.searchsorted(edges, lengths, side="right")
    dev, slices = story.corpus.dev, []
    for which in np.unique(group):
        rows = np.flatnonzero(group == which)
        figure = goal.judge(story.metric, story.corpus.task, dev.take(rows), evidence.answers(rows))
        slices.append(Slice(int(lengths[rows].min()), int(lengths[rows].max()), len(rows), figure))
    return slices
