"""From logits to decisions, fitted on dev: one temperature, and per label a threshold."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradatim.pipelines.classification import sigmoid, softmax
from gradatim.pipelines.metrics import higher_is_better, score
from gradatim.types import Array, Arrays, Task


@dataclass(frozen=True, slots=True)
class Decision:
    """How logits become labels: divided by `temperature`, and per label at or above its threshold."""

    temperature: float = 1.0
    thresholds: tuple[float, ...] | None = None

    def settings(self) -> dict[str, Any]:
        """What the artifact's manifest keeps."""
        thresholds = {} if self.thresholds is None else {"thresholds": list(self.thresholds)}
        return {"temperature": self.temperature, **thresholds}


def fit_decision(logits: Array, targets: Array, *, multi_label: bool, tempered: bool = True) -> Decision:
    """Temperature (1 unless `tempered`) and, for a multi-label task, thresholds that suit dev best."""
    temperature = fit_temperature(logits, targets) if tempered else 1.0
    if not multi_label:
        return Decision(temperature)
    thresholds = fit_thresholds(sigmoid(logits / np.float32(temperature)), targets)
    return Decision(temperature, tuple(thresholds.tolist()))


def quality(metric: str, task: Task, targets: Array, logits: Array, decision: Decision) -> float:
    """The metric of the logits that a decision was fitted to, turned so that higher is better.

    Thresholds are those of `cross_fitted`, not its own, which fit these examples better than others.
    """
    scaled = logits / np.float32(decision.temperature)
    probabilities = sigmoid(scaled) if task.multi_label else softmax(scaled)
    thresholds = None if decision.thresholds is None else cross_fitted(probabilities, targets)
    value = score(metric, task, targets, probabilities, thresholds)
    return value if higher_is_better(metric) else -value


def cross_fitted(probabilities: Array, targets: Array) -> Array:
    """Thresholds (n, labels) by which each example is decided: those that `fit_thresholds` finds on the half of the
    examples that it is not in. Halves are drawn once, the same for all models.
    """
    first = np.zeros(len(targets), dtype=bool)
    first[np.random.default_rng(0).permutation(len(targets))[: len(targets) // 2]] = True
    thresholds = np.empty(probabilities.shape, dtype=np.float32)
    for half in (first, ~first):
        thresholds[half] = fit_thresholds(probabilities[~half], targets[~half]) if not half.all() else 0.5
    return thresholds


def judged_apart(answers: Arrays, targets: Array) -> Arrays:
    """Answers on dev, decided by thresholds of `cross_fitted` where the file's own were fitted there."""
    thresholds = answers.get("thresholds")
    if thresholds is None or (thresholds == 0.5).all():  # which is that of a file without any
        return answers
    return {**answers, "thresholds": cross_fitted(answers["probabilities"], targets)}


def negative_log_likelihood(logits: Array, targets: Array) -> float:
    """Mean per text, in nats; targets are class ids (n,) or zeros and ones (n, labels), then summed."""
    z = np.asarray(logits, dtype=np.float64)
    if targets.ndim == 2:
        return float((np.logaddexp(0, z) - targets * z).sum(axis=1).mean())
    z = z - z.max(axis=1, keepdims=True)
    return float((np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(z)), targets]).mean())


def fit_temperature(logits: Array, targets: Array) -> float:
    """The T in [0.05, 20] that makes the targets most likely (Guo et al. 2017, section 4.2).

    Differs: ln T has a standard normal prior, so that a handful of examples, all answered right, do
    not make the model boundlessly sure.
    """
    from scipy.optimize import minimize_scalar

    def loss(at: float) -> float:
        return negative_log_likelihood(logits / np.exp(at), targets) + at**2 / (2 * len(targets))

    found = minimize_scalar(loss, bounds=(math.log(0.05), math.log(20.0)), method="bounded")
    return math.exp(found.x)


def fit_thresholds(probabilities: Array, targets: Array) -> Array:
    """Per label, the threshold (labels,) whose F1 on these examples is highest; 0.5 where none is positive.

    It lies halfway between two neighbouring probabilities, so that rounding does not move a decision.
    """
    order = np.argsort(-probabilities, axis=0, kind="stable")
    ranked = np.take_along_axis(probabilities, order, axis=0)
    hits = np.cumsum(np.take_along_axis(targets, order, axis=0), axis=0)
    said = np.arange(1, len(ranked) + 1)[:, None]
    f1 = 2 * hits / (said + targets.sum(axis=0))
    following = np.concatenate([ranked[1:], np.zeros_like(ranked[:1])])
    f1 = np.where(ranked > following, f1, 0.0)  # equal probabilities are decided alike
    best = np.argmax(f1, axis=0)[None]
    between = (np.take_along_axis(ranked, best, axis=0) + np.take_along_axis(following, best, axis=0))[0] / 2
    return np.where(targets.any(axis=0), between, 0.5).astype(np.float32)
