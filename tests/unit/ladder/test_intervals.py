"""Bootstrap intervals, against theory."""

import time

import numpy as np
import pytest
from climb_stories import make_answers, make_task

from gradatim.ladder.intervals import bootstrap
from gradatim.types import Task


def drawn(task: Task, n: int, seed: int = 0):
    rng = np.random.default_rng(seed)
    k = len(task.labels)
    targets = (rng.random((n, k)) < 0.2).astype(np.float32) if task.multi_label else rng.integers(0, k, n)
    return targets, make_answers(task, targets, rng, 1.0)


def test_accuracy_interval_is_that_of_a_binomial():
    task = make_task(2)
    n, right = 1000, 830
    targets = np.zeros(n, dtype=np.int64)
    answers = np.where(np.arange(n)[:, None] < right, [0.8, 0.2], [0.2, 0.8]).astype(np.float32)
    found = bootstrap("accuracy", task, targets, answers)
    half = 1.96 * np.sqrt(0.83 * 0.17 / n)
    assert found.value == pytest.approx(0.83)
    assert found.low == pytest.approx(0.83 - half, abs=0.004)
    assert found.high == pytest.approx(0.83 + half, abs=0.004)


def test_same_seed_same_interval_and_another_seed_another():
    task = make_task(7)
    targets, answers = drawn(task, 200)
    first = bootstrap("macro_f1", task, targets, answers, seed=3)
    assert first == bootstrap("macro_f1", task, targets, answers, seed=3)
    assert first != bootstrap("macro_f1", task, targets, answers, seed=4)


@pytest.mark.parametrize("metric", ["accuracy", "ece", "log_loss"])
def test_interval_holds_its_value(metric):
    task = make_task(2)
    targets, answers = drawn(task, 60)
    found = bootstrap(metric, task, targets, answers)
    assert found.low <= found.value <= found.high
    assert found.low < found.high


def test_one_example_has_an_interval_of_no_width():
    found = bootstrap("accuracy", make_task(2), np.array([1]), np.array([[0.1, 0.9]], dtype=np.float32))
    assert (found.value, found.low, found.high) == (1.0, 1.0, 1.0)


def test_macro_f1_of_5000_rows_and_77_labels_takes_less_than_two_seconds():
    task = make_task(77)
    targets, answers = drawn(task, 5000)
    began = time.process_time()
    bootstrap("macro_f1", task, targets, answers)
    assert time.process_time() - began < 2.0  # 0.4 s on a quiet machine


def test_each_example_may_have_thresholds_of_its_own():
    task = make_task(3, multi_label=True)
    targets, answers = drawn(task, 80)
    own = np.random.default_rng(1).random(answers.shape).astype(np.float32)
    moved = np.where(answers >= own, 0.9, 0.1).astype(np.float32)
    assert bootstrap("macro_f1", task, targets, answers, own) == bootstrap("macro_f1", task, targets, moved)
