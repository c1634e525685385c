"""The worst mistakes, and labels that are probably wrong."""

import numpy as np
import pytest
from climb_stories import make_examples, make_task

from gradatim.ladder.mistakes import confident_labels, out_of_fold, suspects, worst_mistakes
from gradatim.types import Examples


def examples_of(targets):
    return Examples([f"text {i}" for i in range(len(targets))], None, np.asarray(targets))


def test_most_confident_mistakes_come_first_and_right_answers_not_at_all():
    answers = np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.3, 0.7]], dtype=np.float32)
    found = worst_mistakes(examples_of([1, 1, 0, 0]), make_task(), answers)
    assert [mistake.row for mistake in found] == [0, 3, 2]
    assert (found[0].label, found[0].other) == ("positive", "negative")
    assert found[0].probability == pytest.approx(0.9)
    assert len(worst_mistakes(examples_of([1, 1, 0, 0]), make_task(), answers, limit=1)) == 1


def test_multi_label_mistake_names_both_sets_and_obeys_thresholds():
    task = make_task(3, multi_label=True)
    targets = np.array([[1, 0, 0], [0, 0, 0], [0, 1, 1]], dtype=np.float32)
    answers = np.array([[0.9, 0.6, 0.1], [0.1, 0.1, 0.95], [0.1, 0.9, 0.8]], dtype=np.float32)
    found = worst_mistakes(examples_of(targets), task, answers)
    assert [mistake.row for mistake in found] == [1, 0]
    assert found[0].label == "(none)"
    assert found[1].other == "label-00, label-01"
    strict = worst_mistakes(examples_of(targets), task, answers, np.array([0.5, 0.7, 0.5]))
    assert [mistake.row for mistake in strict] == [1]


def test_thresholds_are_the_mean_confidence_of_each_given_label():
    # Thresholds 0.7 (label 0: 0.9, 0.5) and 0.8 (label 1: 0.8, 0.8).
    p = np.array([[0.9, 0.1], [0.5, 0.5], [0.2, 0.8], [0.2, 0.8]])
    assert confident_labels(p, np.array([0, 0, 1, 1])).tolist() == [0, -1, 1, 1]


@pytest.mark.parametrize("labels", [2, 6])
def test_flipped_labels_are_found(labels):
    rng = np.random.default_rng(0)
    task = make_task(labels)
    true = np.arange(600) % labels
    features = (np.eye(labels)[true] * 3 + rng.normal(0, 0.6, (600, labels))).astype(np.float32)
    flipped = rng.choice(600, 30, replace=False)
    given = true.copy()
    given[flipped] = (given[flipped] + 1) % labels
    found = suspects(examples_of(given), features, task)
    right = set(flipped) & {suspect.row for suspect in found}
    assert len(right) >= 20  # two of three are found,
    assert len(right) >= 0.95 * len(found)  # and next to nothing else
    first = found[0]
    assert (first.label, first.other) == (task.labels[given[first.row]], task.labels[true[first.row]])
    assert first.probability > 0.5


def test_flipped_multi_label_decisions_are_found():
    rng = np.random.default_rng(0)
    task = make_task(3, multi_label=True)
    true = (rng.random((500, 3)) < 0.4).astype(np.float32)
    features = (3 * true + rng.normal(0, 0.5, true.shape)).astype(np.float32)
    given = true.copy()
    given[:15, 1] = 1 - given[:15, 1]
    found = suspects(examples_of(given), features, task)
    assert len({suspect.row for suspect in found[:15]} & set(range(15))) >= 13
    one = next(suspect for suspect in found if suspect.row < 15)
    assert ("label-01" in one.label) != ("label-01" in one.other)


def test_out_of_fold_answers_come_from_a_probe_that_has_not_seen_the_row():
    rng = np.random.default_rng(0)
    features = np.eye(40, dtype=np.float32)  # each row has a feature of its own: only memory could know it
    targets = rng.permutation(np.arange(40) % 2)
    p = out_of_fold(features, targets, make_task(2))
    assert np.abs(p - 0.5).max() < 0.1


def test_one_example_of_a_label_and_fewer_rows_than_folds_do_no_harm():
    examples = make_examples(make_task(3), 4, np.random.default_rng(0))
    assert isinstance(suspects(examples, np.eye(4, dtype=np.float32), make_task(3)), list)
