"""The probe, the learning curve and its extrapolation."""

import numpy as np
import pytest
from climb_stories import make_task
from scipy.sparse import csr_matrix

from gradatim.ladder import probe as probe_module
from gradatim.ladder.learning import expected_quality, fit_power_law, learning_curve, would_more_help
from gradatim.ladder.probe import probe
from gradatim.ladder.records import Interval, LearningPoint


def clusters(labels, n, d, seed=0, noise=1.0):
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(0, 1, (labels, d))
    targets = rng.integers(0, labels, n)
    return (centres[targets] + rng.normal(0, noise, (n, d))).astype(np.float32), targets


def power_law(a, b, c, sizes=(100, 200, 400, 800, 1600)):
    points = []
    for n in sizes:
        quality = 1 - (a * n**-b + c)
        points.append(LearningPoint(n, Interval(quality, quality - 0.02, quality + 0.02)))
    return points


@pytest.mark.parametrize("labels", [2, 5])
def test_probe_is_logistic_regression(labels):
    from sklearn.linear_model import LogisticRegression

    x, y = clusters(labels, 300, 7)
    queries, _ = clusters(labels, 40, 7, seed=1)
    ours = probe(csr_matrix(x), y, csr_matrix(queries), make_task(labels))
    # Our softmax keeps a weight vector for each of two labels, which halves the penalty on their difference.
    c = probe_module.C * (2 if labels == 2 else 1)
    theirs = LogisticRegression(C=c, max_iter=2000, tol=1e-8).fit(x, y).predict_proba(queries)
    assert np.abs(ours - theirs).max() < 5e-3


def test_multi_label_probe_is_one_logistic_regression_per_label():
    from sklearn.linear_model import LogisticRegression

    x, y = clusters(3, 300, 7)
    both = np.stack([y == 0, y != 1], axis=1).astype(np.float32)
    ours = probe(csr_matrix(x), both, csr_matrix(x), make_task(2, multi_label=True))
    for label in range(2):
        model = LogisticRegression(C=probe_module.C, max_iter=2000, tol=1e-8).fit(x, both[:, label])
        assert np.abs(ours[:, label] - model.predict_proba(x)[:, 1]).max() < 5e-3


def test_probe_knows_labels_without_examples_and_constant_features():
    x, y = clusters(3, 60, 4)
    x[:, 0] = 7.0
    answers = probe(x, np.minimum(y, 1), x, make_task(3))
    assert np.isfinite(answers).all()
    assert answers.sum(1) == pytest.approx(1.0, abs=1e-5)
    assert answers[:, 2].max() < 0.2


@pytest.mark.parametrize("sparse", [False, True])
def test_curve_rises_on_growing_shares(sparse):
    x, y = clusters(5, 800, 10, noise=1.6)
    q, z = clusters(5, 400, 10, seed=1, noise=1.6)
    if sparse:
        x, q = csr_matrix(x), csr_matrix(q)
    points = learning_curve(x, y, q, z, make_task(5), "accuracy", shares=(0.02, 0.2, 1.0))
    assert [point.num_labels for point in points] == [16, 160, 800]
    assert points[0].quality.value + 0.05 < points[-1].quality.value
    assert all(point.quality.low <= point.quality.value <= point.quality.high for point in points)


@pytest.mark.parametrize(("a", "b", "c"), [(2.0, 0.5, 0.1), (0.8, 0.25, 0.0), (5.0, 0.8, 0.2)])
def test_power_law_is_found_again(a, b, c):
    points = power_law(a, b, c)
    expected = 1 - (a * 3200**-b + c)
    assert expected_quality(points, 3200) == pytest.approx(expected, abs=2e-3)
    assert fit_power_law(points)[2] == pytest.approx(c, abs=0.03)


def test_noise_without_a_trend_promises_nothing_and_never_a_loss():
    falling = [LearningPoint(n, Interval(q, q, q)) for n, q in [(10, 0.8), (20, 0.79), (40, 0.78)]]
    assert expected_quality(falling, 80) == pytest.approx(0.78)


def test_sentence_says_yes_where_the_curve_climbs_and_little_where_it_is_flat():
    assert would_more_help(power_law(2.0, 0.3, 0.0), "accuracy").startswith("Yes")
    assert "3,200 instead of 1,600" in would_more_help(power_law(2.0, 0.3, 0.0), "accuracy")
    assert "little" in would_more_help(power_law(0.001, 0.3, 0.1), "macro_f1")
    assert "Too few" in would_more_help(power_law(2.0, 0.3, 0.0)[:2], "accuracy")


def test_two_points_are_no_power_law():
    with pytest.raises(ValueError, match="three points"):
        fit_power_law(power_law(1, 1, 0)[:2])
