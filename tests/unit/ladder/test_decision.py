"""Temperature and thresholds are the best ones on the examples they are fitted to."""

import numpy as np
import pytest

from gradatim.ladder.decision import (
    Decision,
    cross_fitted,
    fit_decision,
    fit_temperature,
    fit_thresholds,
    judged_apart,
    negative_log_likelihood,
    quality,
)
from gradatim.pipelines.classification import sigmoid
from gradatim.pipelines.metrics import score
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
    logits = np.tile(np.array([[-1.0, -3.0], [-3.0, -1.0]], dtype=np.float32), (20, 1))
    targets = np.tile(np.array([[1, 0], [0, 1]], dtype=np.float32), (20, 1))
    decision = fit_decision(logits, targets, multi_label=True)
    assert quality("macro_f1", task, targets, logits, Decision()) == 0
    assert quality("macro_f1", task, targets, logits, decision) == 1
    assert quality("log_loss", task, targets, logits, decision) < 0
    assert set(decision.settings()) == {"temperature", "thresholds"}
    assert Decision().settings() == {"temperature": 1.0}


def test_quality_on_dev_is_what_to_expect_of_other_texts() -> None:
    """Thirty labels, few texts with each, and logits that say little: thresholds fit chance. Means of eight draws."""
    task = Task(tuple(f"label-{i:02d}" for i in range(30)), multi_label=True)
    rng, found = np.random.default_rng(0), []

    def drawn(n: int) -> tuple[np.ndarray, np.ndarray]:
        targets = (rng.random((n, 30)) < 0.06).astype(np.float32)
        return targets, (targets + rng.normal(size=targets.shape) - 2).astype(np.float32)

    for _ in range(8):
        (targets, logits), (fresh, fresh_logits) = drawn(100), drawn(4000)
        decision = fit_decision(logits, targets, multi_label=True)
        own, expected = (
            score(
                "macro_f1",
                task,
                wanted,
                sigmoid(said / np.float32(decision.temperature)),
                np.array(decision.thresholds),
            )
            for wanted, said in ((targets, logits), (fresh, fresh_logits))
        )
        found.append((own, quality("macro_f1", task, targets, logits, decision), expected))
    own, judged, expected = np.mean(found, axis=0)
    assert own > expected + 0.1, "their own examples flatter them"
    assert judged == pytest.approx(expected, abs=0.03)


def test_no_example_has_a_say_in_its_own_threshold() -> None:
    rng = np.random.default_rng(2)
    probabilities = rng.random((40, 3)).astype(np.float32)
    targets = (rng.random((40, 3)) < probabilities).astype(np.float32)
    before = cross_fitted(probabilities, targets)
    assert before.shape == (40, 3)
    for row in range(40):
        other = targets.copy()
        other[row] = 1 - other[row]
        np.testing.assert_array_equal(cross_fitted(probabilities, other)[row], before[row])


def test_only_thresholds_that_were_fitted_are_fitted_apart() -> None:
    said = {"probabilities": np.array([[0.2, 0.6], [0.7, 0.1]], dtype=np.float32)}
    targets = np.array([[0, 1], [1, 0]], dtype=np.float32)
    assert judged_apart(said, np.array([1, 0])) == said
    usual = {**said, "thresholds": np.array([0.5, 0.5], dtype=np.float32)}
    assert judged_apart(usual, targets) is usual
    fitted = {**said, "thresholds": np.array([0.4, 0.3], dtype=np.float32)}
    assert judged_apart(fitted, targets)["thresholds"].shape == (2, 2)
