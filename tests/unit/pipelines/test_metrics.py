"""Metrics equal scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as reference

from gradatim.errors import ConfigError
from gradatim.pipelines.metrics import METRICS, default_metric, higher_is_better, label_f1, score, scores
from gradatim.types import Array, Task

BINARY = Task(("no", "yes"))
MANY = Task(tuple("abcdefg"))
TAGS = Task(tuple("abcde"), multi_label=True)


def single(task: Task, n: int = 211, seed: int = 0) -> tuple[Array, Array]:
    """Targets of which the last label but one never occurs, and probabilities that are often right."""
    rng = np.random.default_rng(seed)
    c = len(task.labels)
    targets = rng.choice([i for i in range(c) if c == 2 or i != c - 2], n)
    logits = rng.normal(size=(n, c)) + 1.5 * np.eye(c)[targets]
    return targets, (np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)).astype(np.float32)


def several(seed: int = 0, n: int = 211) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    targets = (rng.random((n, 5)) < [0.5, 0.3, 0.1, 0.02, 0.0]).astype(np.float32)
    return targets, np.clip(0.5 * targets + rng.random((n, 5)) * 0.6, 0, 1).astype(np.float32)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("task", [BINARY, MANY], ids=["binary", "many"])
def test_single_label_metrics(task: Task, seed: int) -> None:
    targets, p = single(task, seed=seed)
    predicted = p.argmax(axis=1)
    labels = range(len(task.labels))
    found = scores(task, targets, p)
    assert found["accuracy"] == pytest.approx(reference.accuracy_score(targets, predicted))
    assert found["macro_f1"] == pytest.approx(reference.f1_score(targets, predicted, average="macro"))
    assert found["micro_f1"] == pytest.approx(reference.f1_score(targets, predicted, average="micro"))
    assert found["matthews"] == pytest.approx(reference.matthews_corrcoef(targets, predicted))
    # float32 rows sum to one only nearly, which scikit-learn minds
    p64 = p.astype(np.float64) / p.sum(axis=1, dtype=np.float64, keepdims=True)
    assert found["log_loss"] == pytest.approx(reference.log_loss(targets, p64, labels=labels), rel=1e-5)
    by_label = reference.f1_score(targets, predicted, average=None, labels=labels, zero_division=0)
    np.testing.assert_allclose(label_f1(targets, p), by_label)
    if task is BINARY:
        assert found["f1"] == pytest.approx(reference.f1_score(targets, predicted))


@pytest.mark.parametrize("thresholds", [None, np.array([0.3, 0.4, 0.5, 0.6, 0.7])], ids=["half", "own"])
def test_multi_label_metrics(thresholds: Array | None) -> None:
    targets, p = several()
    predicted = p >= (0.5 if thresholds is None else thresholds)
    found = scores(TAGS, targets, p, thresholds)
    assert set(found) == {"accuracy", "macro_f1", "micro_f1", "log_loss", "ece"}
    assert found["accuracy"] == pytest.approx(reference.accuracy_score(targets, predicted))
    for average in ("macro", "micro"):
        wanted = reference.f1_score(targets, predicted, average=average, zero_division=0)
        assert found[f"{average}_f1"] == pytest.approx(wanted)
    columns = [reference.log_loss(targets[:, i], p[:, i].astype(float), labels=[0, 1]) for i in range(5)]
    assert found["log_loss"] == pytest.approx(np.mean(columns), rel=1e-4)


def test_calibration_error_by_hand() -> None:
    p = np.array([[0.9, 0.1], [0.9, 0.1], [0.9, 0.1], [0.4, 0.6]], dtype=np.float32)
    targets = np.array([0, 0, 1, 1])
    # bin of 0.9: 3 texts, accuracy 2/3; bin of 0.6: 1 text, accuracy 1
    wanted = 3 / 4 * (0.9 - 2 / 3) + 1 / 4 * (1 - 0.6)
    assert score("ece", BINARY, targets, p) == pytest.approx(wanted, abs=1e-6)


def test_calibrated_probabilities_have_little_error() -> None:
    rng = np.random.default_rng(0)
    p = rng.random(200_000)
    both = np.stack([1 - p, p], axis=1).astype(np.float32)
    targets = (rng.random(200_000) < p).astype(np.int64)
    assert score("ece", BINARY, targets, both) < 0.01
    assert score("ece", BINARY, 1 - targets, both) > 0.3


def test_certain_and_wrong_costs_much_but_not_infinitely() -> None:
    p = np.array([[1.0, 0.0]], dtype=np.float32)
    assert 10 < score("log_loss", BINARY, np.array([1]), p) < 20
    assert score("log_loss", BINARY, np.array([0]), p) == 0


def test_matthews_of_a_constant_prediction_is_zero() -> None:
    p = np.tile(np.array([0.8, 0.2], dtype=np.float32), (6, 1))
    assert score("matthews", BINARY, np.array([0, 1, 0, 1, 0, 1]), p) == 0


def test_defaults_and_directions() -> None:
    assert (default_metric(BINARY), default_metric(TAGS)) == ("accuracy", "macro_f1")
    assert {name for name in METRICS if not higher_is_better(name)} == {"log_loss", "ece"}


def test_undefined_and_unknown_metrics_are_refused() -> None:
    targets, p = single(MANY)
    with pytest.raises(ConfigError, match="two labels"):
        score("f1", MANY, targets, p)
    with pytest.raises(ConfigError, match="several labels"):
        score("matthews", TAGS, *several())
    with pytest.raises(ConfigError, match="did you mean 'accuracy'"):
        score("acuracy", MANY, targets, p)
    with pytest.raises(ConfigError, match="at least one example"):
        score("accuracy", MANY, targets[:0], p[:0])
