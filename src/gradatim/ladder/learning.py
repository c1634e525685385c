"""The learning curve: quality against the number of labels, and whether more of them would help."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gradatim.ladder.figures import PERCENT, metric_name, quality
from gradatim.ladder.intervals import bootstrap
from gradatim.ladder.probe import Features, probe
from gradatim.ladder.records import LearningPoint
from gradatim.types import Array, Task

SHARES = (0.05, 0.1, 0.2, 0.4, 0.7, 1.0)
EXPONENTS = np.linspace(0.05, 1.5, 59)
WORTH_WHILE = 0.01  # a doubling of the labels that gains less is called little


def learning_curve(
    features_train: Features,
    targets: Array,
    features_dev: Features,
    targets_dev: Array,
    task: Task,
    metric: str,
    *,
    shares: Sequence[float] = SHARES,
    seed: int = 0,
) -> list[LearningPoint]:
    """Dev quality of a linear probe trained on growing, nested random shares of the training set."""
    order = np.random.default_rng(seed).permutation(len(targets))
    sizes = sorted({max(2, round(share * len(targets))) for share in shares})
    points = []
    for size in sizes:
        rows = np.sort(order[:size])
        answers = probe(features_train[rows], targets[rows], features_dev, task)
        points.append(LearningPoint(size, bootstrap(metric, task, targets_dev, answers, seed=seed)))
    return points


def fit_power_law(points: Sequence[LearningPoint]) -> tuple[float, float, float]:
    """`a, b, c` of error = a n^-b + c with a, c >= 0, by least squares (Hestness et al. 2017, eq. 1).

    Error is one minus the quality; a and c are solved for each b on a grid. Raises ValueError for
    fewer than three points.
    """
    from scipy.optimize import nnls

    if len(points) < 3:
        raise ValueError("a power law needs at least three points")
    n = np.array([point.num_labels for point in points], dtype=np.float64)
    error = np.array([1.0 - point.quality.value for point in points])
    fits = []
    for b in EXPONENTS:
        (a, c), residual = nnls(np.stack([n**-b, np.ones_like(n)], axis=1), error)
        fits.append((float(residual), float(a), float(b), float(c)))
    return min(fits)[1:]


def expected_quality(points: Sequence[LearningPoint], num_labels: int) -> float:
    """The power law's quality at `num_labels`, moved so that it passes through the last point."""
    a, b, _ = fit_power_law(points)
    last = points[-1]
    return last.quality.value + a * float(last.num_labels**-b - num_labels**-b)


def would_more_help(points: Sequence[LearningPoint], metric: str) -> str:
    """One or two sentences with numbers: what twice the labels would be expected to bring."""
    if len(points) < 3:
        return "Too few training examples to draw a learning curve."
    last = points[-1]
    now, later = last.quality.value, expected_quality(points, 2 * last.num_labels)
    gain = f"{100 * (later - now):.1f} points" if metric in PERCENT else f"{later - now:.3f}"
    verdict = "Yes, more labels would help" if later - now >= WORTH_WHILE else "More labels would help little"
    before = points[-2]
    return (
        f"{verdict}: twice as many ({2 * last.num_labels:,} instead of {last.num_labels:,}) would be "
        f"expected to add {gain} of {metric_name(metric)} to a linear model ({quality(now, metric)} to "
        f"{quality(later, metric)}). The last step, from {before.num_labels:,} to {last.num_labels:,} "
        f"labels, took it from {quality(before.quality.value, metric)} to {quality(now, metric)}."
    )
