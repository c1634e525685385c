"""Bootstrap 95 % intervals of any metric."""

from __future__ import annotations

import numpy as np

from gradatim.ladder.records import Interval
from gradatim.pipelines.metrics import score
from gradatim.types import Array, Task

RESAMPLES = 1000
LEVELS = (2.5, 97.5)


def of_mean(values: Array, *, seed: int = 0) -> Interval:
    """The mean of what each example is worth, (n,), with its bootstrap 95 % interval."""
    rng, value = np.random.default_rng(seed), float(values.mean())
    draws = [float(values[rng.integers(0, len(values), len(values))].mean()) for _ in range(RESAMPLES)]
    low, high = np.percentile(draws, LEVELS)
    return Interval(value, min(float(low), value), max(float(high), value))


def bootstrap(
    metric: str,
    task: Task,
    targets: Array,
    probabilities: Array,
    thresholds: Array | None = None,
    *,
    seed: int = 0,
) -> Interval:
    """The metric with its percentile bootstrap 95 % interval (Efron 1979) over the examples.

    `targets` (n,) or (n, labels), `probabilities` (n, labels), `thresholds` (labels,) or each example's own
    (n, labels). Same seed, same interval.
    """
    value = score(metric, task, targets, probabilities, thresholds)
    n, rng = len(targets), np.random.default_rng(seed)
    draws = []
    for _ in range(RESAMPLES):
        rows = rng.integers(0, n, n)
        decided = thresholds if thresholds is None or thresholds.ndim == 1 else thresholds[rows]
        draws.append(score(metric, task, targets[rows], probabilities[rows], decided))
    low, high = np.percentile(draws, LEVELS)
    # Where the metric's bootstrap is biased (calibration error), the interval still holds the value.
    return Interval(value, min(float(low), value), max(float(high), value))
