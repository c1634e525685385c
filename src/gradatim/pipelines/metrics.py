"""Classification metrics in numpy: what scikit-learn computes, where scikit-learn is not installed.

`targets` are class ids (n,), or zeros and ones (n, labels) for a multi-label task; `probabilities`
are (n, labels). Of a binary task the last label is the positive one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from gradatim.errors import ConfigError, did_you_mean
from gradatim.types import Array, Task

ECE_BINS = 15


def default_metric(task: Task) -> str:
    """The metric a task is judged by if nobody says otherwise."""
    return "macro_f1" if task.multi_label else "accuracy"


def higher_is_better(name: str) -> bool:
    """Whether more of the metric is better."""
    return name not in ("log_loss", "ece")


def score(
    name: str, task: Task, targets: Array, probabilities: Array, thresholds: Array | None = None
) -> float:
    """One metric by name; `ConfigError` if it is unknown or not defined for the task, or if n is 0.

    `thresholds` (labels,), or each example's own (n, labels), decide multi-label tasks (0.5 if absent).
    """
    metric = METRICS.get(name)
    if metric is None:
        raise ConfigError(f"unknown metric '{name}'{did_you_mean(name, METRICS)} Known: {', '.join(METRICS)}")
    reason = undefined(name, task)
    if reason:
        raise ConfigError(f"metric '{name}' is not defined here: {reason}")
    if len(targets) == 0 or probabilities.shape != (len(targets), len(task.labels)):
        raise ConfigError(
            f"metrics need at least one example and one probability per label: targets {targets.shape}, "
            f"probabilities {probabilities.shape}, {len(task.labels)} labels"
        )
    return float(metric(targets, probabilities, thresholds))


def scores(
    task: Task, targets: Array, probabilities: Array, thresholds: Array | None = None
) -> dict[str, float]:
    """All metrics that are defined for the task."""
    return {
        name: score(name, task, targets, probabilities, thresholds)
        for name in METRICS
        if not undefined(name, task)
    }


def label_f1(targets: Array, probabilities: Array, thresholds: Array | None = None) -> Array:
    """F1 of every label (labels,), 0 where a label neither occurs nor is predicted."""
    both, gold, said = _counts(targets, probabilities, thresholds)
    return _f1(both, gold, said)


def accuracy(targets: Array, probabilities: Array, thresholds: Array | None = None) -> float:
    """Share of texts with the right label; if multi-label, with exactly the right set of labels."""
    if targets.ndim == 2:
        return float((decide(probabilities, thresholds) == (targets > 0.5)).all(axis=1).mean())
    return float((probabilities.argmax(axis=1) == targets).mean())


def macro_f1(targets: Array, probabilities: Array, thresholds: Array | None = None) -> float:
    """Mean of the labels' F1: all labels if multi-label, else those that occur or are predicted."""
    both, gold, said = _counts(targets, probabilities, thresholds)
    seen = np.full(len(gold), True) if targets.ndim == 2 else gold + said > 0
    return float(_f1(both, gold, said)[seen].mean())


def micro_f1(targets: Array, probabilities: Array, thresholds: Array | None = None) -> float:
    """F1 over all decisions together (equals accuracy if there is one label per text)."""
    both, gold, said = _counts(targets, probabilities, thresholds)
    return float(_f1(both.sum(keepdims=True), gold.sum(keepdims=True), said.sum(keepdims=True))[0])


def positive_f1(targets: Array, probabilities: Array, thresholds: Array | None = None) -> float:
    """F1 of the last label."""
    return float(label_f1(targets, probabilities, thresholds)[-1])


def matthews(targets: Array, probabilities: Array, thresholds: Array | None = None) -> float:
    """Matthews correlation for any number of classes (Gorodkin 2004, eq. 8), 0 where undefined."""
    both, gold, said = (counts.astype(np.float64) for counts in _counts(targets, probabilities, None))
    n = len(targets)
    covariance = n * both.sum() - gold @ said
    spread = np.sqrt(n * n - gold @ gold) * np.sqrt(n * n - said @ said)
    return float(covariance / spread) if spread else 0.0


def log_loss(targets: Array, probabilities: Array, thresholds: Array | None = None) -> float:
    """Mean negative log-likelihood, in nats; if multi-label, per decision."""
    p = probabilities.astype(np.float64)
    several = targets.ndim == 2
    told = np.where(targets > 0.5, p, 1 - p) if several else p[np.arange(len(p)), targets]
    return float(-np.log(np.clip(told, np.finfo(np.float32).eps, 1.0)).mean())


def ece(targets: Array, probabilities: Array, thresholds: Array | None = None) -> float:
    """Expected calibration error of the predicted label over 15 equal bins (Guo et al. 2017, eq. 3).

    If multi-label, every label's probability is compared with how often the label is right.
    """
    if targets.ndim == 2:
        confidence, right = probabilities.ravel(), targets.ravel() > 0.5
    else:
        confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == targets
    bins = np.clip(np.ceil(confidence * ECE_BINS).astype(np.int64) - 1, 0, ECE_BINS - 1)
    gaps = np.bincount(bins, weights=right - confidence.astype(np.float64), minlength=ECE_BINS)
    return float(np.abs(gaps).sum() / len(confidence))


def decide(probabilities: Array, thresholds: Array | None = None) -> Array:
    """Decisions of a multi-label task: bool (n, labels)."""
    decided: Array = probabilities >= (np.float32(0.5) if thresholds is None else np.asarray(thresholds))
    return decided


METRICS: Mapping[str, Callable[[Array, Array, Array | None], float]] = MappingProxyType(
    {
        "accuracy": accuracy,
        "macro_f1": macro_f1,
        "micro_f1": micro_f1,
        "f1": positive_f1,
        "matthews": matthews,
        "log_loss": log_loss,
        "ece": ece,
    }
)


def undefined(name: str, task: Task) -> str:
    """Why a metric makes no sense for a task; empty if it does."""
    if name == "f1" and (task.multi_label or len(task.labels) != 2):
        return "f1 needs exactly two labels; use macro_f1 or micro_f1"
    if name == "matthews" and task.multi_label:
        return "a text has several labels; use macro_f1"
    return ""


def _counts(targets: Array, probabilities: Array, thresholds: Array | None) -> tuple[Array, Array, Array]:
    """Per label: how often right, how often it occurs, how often it is predicted."""
    num_labels = probabilities.shape[1]
    if targets.ndim == 2:
        true, decided = targets > 0.5, decide(probabilities, thresholds)
        return (true & decided).sum(axis=0), true.sum(axis=0), decided.sum(axis=0)
    predicted = probabilities.argmax(axis=1)
    right = targets[predicted == targets]
    both, gold, said = (np.bincount(ids, minlength=num_labels) for ids in (right, targets, predicted))
    return both, gold, said


def _f1(both: Array, gold: Array, said: Array) -> Array:
    """2 TP / (2 TP + FP + FN), 0 where there is nothing to count."""
    f1: Array = 2 * both / np.maximum(gold + said, 1)
    return f1
