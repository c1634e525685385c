"""How good tags are: F1 of entities or accuracy, with bootstrap intervals over sentences."""

from __future__ import annotations

import numpy as np

from gradatim.ladder.intervals import LEVELS, RESAMPLES
from gradatim.ladder.records import Interval
from gradatim.pipelines.matches import counts, measure, said_tags, wanted_tags
from gradatim.types import Arrays, Examples, Task


def metrics(task: Task) -> tuple[str, ...]:
    """Those that a choice may be made by; the first is the usual one."""
    return ("f1", "accuracy") if task.marks_entities else ("accuracy",)


def interval(metric: str, task: Task, examples: Examples, answers: Arrays, *, seed: int = 0) -> Interval:
    """The metric of `tags` and `sizes`, with its percentile bootstrap 95 % interval (Efron 1979)."""
    rows = counts(said_tags(task, answers["tags"], answers["sizes"]), wanted_tags(examples))
    rng, total = np.random.default_rng(seed), len(rows)
    draws = np.stack([rows[rng.integers(0, total, total)].sum(axis=0) for _ in range(RESAMPLES)])
    value = float(measure(metric, rows.sum(axis=0)))
    low, high = np.percentile(measure(metric, draws), LEVELS)
    return Interval(value, min(float(low), value), max(float(high), value))
