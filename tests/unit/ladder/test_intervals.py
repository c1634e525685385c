"""Bootstrap intervals, against a plain loop and against theory."""

import time

import numpy as np
import pytest
from climb_stories import make_answers, make_task

from gradatim.ladder.intervals import bootstrap, bootstrap_difference, take_apart
from gradatim.pipelines.metrics import METRICS, score, scores
from gradatim.types import Task


def drawn(task: Task, n: int, seed: int = 0):
    rng = np.random.default_rng(seed)
    k = len(task.labels)
    targets = (rng.random((n, k)) < 0.2).astype(np.float32) if task.multi_label else rng.integers(0, k, n)
    return targets, make_answers(task, targets, rng, 1.0)


TASKS = [make_task(2), make_task(7), make_task(5, multi_label=True)]


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("metric", list(METRICS))
def test_every_metric_taken_apart_is_the_metric_itself(metric, task):
    targets, answers = drawn(task, 311)
    thresholds = np.full(len(task.labels), 0.35, dtype=np.float32) if task.multi_label else None
    if metric not in scores(task, targets, answers):
        return  # not defined for this task
    rng = np.random.default_rng(1)
    parts = take_apart(metric, task, targets, answers, thresholds)
    for rows in (np.arange(311), rng.integers(0, 311, 311), rng.integers(0, 311, 40)):
        expected = score(metric, task, targets[rows], answers[rows], thresholds)
        assert parts.value(parts.rows[rows].mean(0, keepdims=True))[0] == pytest.approx(expected, abs=1e-9)


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


def test_paired_difference_is_narrower_than_the_two_intervals():
    task = make_task(2)
    targets, first = drawn(task, 800)
    second = first.copy()
    second[:24] = second[:24, ::-1]  # differs from the first in 24 answers only
    found = bootstrap_difference("accuracy", task, targets, first, second)
    single = bootstrap("accuracy", task, targets, first)
    assert found.value == pytest.approx(
        score("accuracy", task, targets, first) - score("accuracy", task, targets, second)
    )
    assert found.high - found.low < 0.7 * (single.high - single.low)


def test_difference_of_a_model_and_itself_is_nothing():
    task = make_task(7)
    targets, answers = drawn(task, 100)
    found = bootstrap_difference("macro_f1", task, targets, answers, answers)
    assert (found.value, found.low, found.high) == (0.0, 0.0, 0.0)


def test_macro_f1_of_5000_rows_and_77_labels_takes_less_than_a_second():
    task = make_task(77)
    targets, answers = drawn(task, 5000)
    began = time.process_time()
    bootstrap("macro_f1", task, targets, answers)
    assert time.process_time() - began < 2.0  # 0.1 s on a quiet machine; both cores count here
