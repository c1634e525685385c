"""Bootstrap 95 % intervals of any metric: torch-free and fast enough to run at every measurement.

Every metric is a function of means over examples (of hits, confusion counts, losses, gaps), so a
resample is a vector of weights, and 1,000 resamples are one matrix product.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from gradatim.ladder.records import Interval
from gradatim.pipelines.metrics import ECE_BINS, decide, score
from gradatim.types import Array, Task

RESAMPLES = 1000
LEVELS = (2.5, 97.5)
WEIGHTS_AT_ONCE = 4_000_000  # bounds memory: 32 MB of weights in float64


@dataclass(frozen=True, slots=True)
class Means:
    """A metric taken apart: `rows` (n, k), and `value` maps the means of rows (r, k) to metrics (r,)."""

    rows: Array
    value: Callable[[Array], Array]


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

    `targets` (n,) or (n, labels), `probabilities` (n, labels). Same seed, same interval.
    """
    value = score(metric, task, targets, probabilities, thresholds)
    parts = take_apart(metric, task, targets, probabilities, thresholds)
    return _interval(value, np.concatenate([parts.value(means) for means in _resampled(parts.rows, seed)]))


def bootstrap_difference(
    metric: str,
    task: Task,
    targets: Array,
    first: Array,
    second: Array,
    *,
    seed: int = 0,
) -> Interval:
    """`first` minus `second` in the metric with its 95 % interval, paired: both see the same resamples.

    Far narrower than the two single intervals, because the examples' common difficulty cancels.
    """
    a = take_apart(metric, task, targets, first)
    b = take_apart(metric, task, targets, second)
    width = a.rows.shape[1]
    draws = np.concatenate(
        [
            a.value(means[:, :width]) - b.value(means[:, width:])
            for means in _resampled(np.hstack([a.rows, b.rows]), seed)
        ]
    )
    return _interval(score(metric, task, targets, first) - score(metric, task, targets, second), draws)


def _resampled(rows: Array, seed: int) -> Iterator[Array]:
    """Means of `rows` (n, k) over resamples drawn with replacement, in blocks of (r, k)."""
    n = len(rows)
    rng = np.random.default_rng(seed)
    block = max(1, WEIGHTS_AT_ONCE // n)
    for start in range(0, RESAMPLES, block):
        size = min(block, RESAMPLES - start)
        weights = np.empty((size, n))
        for weight in weights:
            weight[:] = np.bincount(rng.integers(0, n, n), minlength=n)
        yield weights @ rows / n


def take_apart(
    metric: str, task: Task, targets: Array, probabilities: Array, thresholds: Array | None = None
) -> Means:
    """The metric as a function of means over examples; `value` of the plain mean is the metric itself."""
    if metric == "log_loss":
        return Means(_losses(task, targets, probabilities)[:, None], lambda means: means[:, 0])
    if metric == "ece":
        return Means(_gaps(task, targets, probabilities), lambda means: np.abs(means).sum(1))
    labels = len(task.labels)
    if task.multi_label:
        gold, said = targets > 0.5, decide(probabilities, thresholds)
    else:
        gold, said = np.eye(labels, dtype=bool)[targets], np.eye(labels, dtype=bool)[probabilities.argmax(1)]
    if metric == "accuracy":
        return Means((gold == said).all(1, keepdims=True).astype(np.float64), lambda means: means[:, 0])
    rows = np.hstack([gold & said, gold, said]).astype(np.float64)
    of_counts = {"macro_f1": _macro_f1, "micro_f1": _micro_f1, "f1": _positive_f1, "matthews": _matthews}[
        metric
    ]

    def value(means: Array) -> Array:
        both, gold, said = np.split(means, 3, axis=1)
        every = task.multi_label and metric == "macro_f1"
        return _mean_f1(both, gold, said) if every else of_counts(both, gold, said)

    return Means(rows, value)


def _losses(task: Task, targets: Array, probabilities: Array) -> Array:
    p = probabilities.astype(np.float64)
    p = np.where(targets > 0.5, p, 1 - p) if task.multi_label else p[np.arange(len(p)), targets][:, None]
    losses: Array = -np.log(np.clip(p, np.finfo(np.float32).eps, 1.0)).mean(1)
    return losses


def _gaps(task: Task, targets: Array, probabilities: Array) -> Array:
    """Per example and bin, hit minus confidence: (n, bins)."""
    if task.multi_label:
        confidence, hit = probabilities, targets > 0.5
    else:
        confidence, hit = probabilities.max(1)[:, None], (probabilities.argmax(1) == targets)[:, None]
    bins = np.clip(np.ceil(confidence * ECE_BINS).astype(np.int64) - 1, 0, ECE_BINS - 1)
    gap = (hit - confidence.astype(np.float64)) / confidence.shape[1]
    n = len(confidence)
    place = np.arange(n)[:, None] * ECE_BINS + bins
    return np.bincount(place.ravel(), gap.ravel(), minlength=n * ECE_BINS).reshape(n, ECE_BINS)


def _f1(both: Array, gold: Array, said: Array) -> Array:
    f1: Array = 2 * both / np.where(gold + said > 0, gold + said, 1.0)
    return f1


def _mean_f1(both: Array, gold: Array, said: Array) -> Array:
    mean: Array = _f1(both, gold, said).mean(1)
    return mean


def _macro_f1(both: Array, gold: Array, said: Array) -> Array:
    """The mean over labels that occur or are predicted in the resample."""
    mean: Array = _f1(both, gold, said).sum(1) / (gold + said > 0).sum(1)
    return mean


def _micro_f1(both: Array, gold: Array, said: Array) -> Array:
    return _f1(both.sum(1), gold.sum(1), said.sum(1))


def _positive_f1(both: Array, gold: Array, said: Array) -> Array:
    return _f1(both[:, -1], gold[:, -1], said[:, -1])


def _matthews(both: Array, gold: Array, said: Array) -> Array:
    covariance = both.sum(1) - (gold * said).sum(1)
    spread = np.sqrt(np.clip(1 - (gold**2).sum(1), 0, None) * np.clip(1 - (said**2).sum(1), 0, None))
    return np.where(spread > 1e-12, covariance / np.maximum(spread, 1e-12), 0.0)


def _interval(value: float, draws: Array) -> Interval:
    """Percentiles of the draws, widened to hold the value where the metric's bootstrap is biased (ECE)."""
    low, high = np.percentile(draws, LEVELS)
    return Interval(value, min(float(low), value), max(float(high), value))
