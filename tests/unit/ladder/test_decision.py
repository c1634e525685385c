"""Temperature and thresholds are the best ones on the examples they are fitted to."""

import numpy as np
import pytest

from gradatim.ladder.decision import (
    Decision,
    fit_decision,
    fit_temperature,
    fit_thresholds,
    negative_log_likelihood,
    quality,
)
from gradatim.types import Task


def test_likelihood_of_classes_and_of_labels() -> None:
    logits = np.log([[0.2, 0.8], [0.5, 0.5]])
    assert negative_log_likelihood(logits, np.array([1, 0])) == pytest.approx(-np.log([0.8, 0.5]).mean())
    p = 1 / (1 + np.exp(-np.array([[1.0, -2.0]])))
    expected = -np.log(p[0, 0]) - np.log(1 - p[0, 1])
    assert negative_log_likelihood(np.array([[1.0, -2.0]]), np.array([[1.0, 0.0]])) == pytest.approx(expected)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_the_temperature_that_was_applied_is_found(temperature: float) -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(20_000, 3)) * 2
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    targets = (rng.random((len(p), 1)) > p.cumsum(axis=1)).sum(axis=1)
    assert fit_temperature(logits * temperature, targets) == pytest.approx(temperature, rel=0.05)


def test_a_few_perfect_answers_do_not_make_the_model_sure() -> None:
    few = np.array([[0.5, -0.5], [-0.5, 0.5]])
    assert fit_temperature(few, np.array([0, 1])) > 0.3
    assert fit_temperature(np.tile(few, (500, 1)), np.tile([0, 1], 500)) < 0.2


def test_thresholds_are_the_best_of_all_cuts() -> None:
    rng = np.random.default_rng(1)
    probabilities = rng.random((60, 4)).round(2).astype(np.float32)
    targets = (rng.random((60, 4)) < probabilities**2).astype(np.float32)
    targets[:, 3] = 0

    def f1(threshold: float, label: int) -> float:
        said = probabilities[:, label] >= threshold
        return 2 * (said * targets[:, label]).sum() / max(said.sum() + targets[:, label].sum(), 1)

    thresholds = fit_thresholds(probabilities, targets)
    assert thresholds[3] == 0.5
    for label in range(3):
        best = max(f1(cut, label) for cut in np.linspace(0, 1.001, 2002))
        assert f1(thresholds[label], label) == pytest.approx(best)


def test_quality_turns_losses_round_and_uses_the_decision() -> None:
    task = Task(("a", "b"), multi_label=True)
    logits = np.array([[-1.0, -3.0], [-3.0, -1.0]], dtype=np.float32)
    targets = np.array([[1, 0], [0, 1]], dtype=np.float32)
    decision = fit_decision(logits, targets, multi_label=True)
    assert quality("macro_f1", task, targets, logits, Decision()) == 0
    assert quality("macro_f1", task, targets, logits, decision) == 1
    assert quality("log_loss", task, targets, logits, decision) < 0
    assert set(decision.settings()) == {"temperature", "thresholds"}
    assert Decision().settings() == {"temperature": 1.0}
