"""Schedules are the formulas of their papers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gradatim.train.schedule import SCHEDULES, constant, cosine, inverse_sqrt, linear, slanted_triangular


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize(("total", "warmup"), [(40, 0.25), (7, 0.0), (1, 0.5), (1000, 0.1)])
def test_a_factor_rises_to_one_at_most_and_never_below_zero(name: str, total: int, warmup: float) -> None:
    factors = [SCHEDULES[name](step, total, warmup) for step in range(total + 1)]
    assert all(0 <= factor <= 1 for factor in factors)
    peak = int(np.argmax(factors))
    assert factors[: peak + 1] == sorted(factors[: peak + 1])
    assert factors[peak:] == sorted(factors[peak:], reverse=True)
    assert total < 2 or factors[peak] == pytest.approx(1.0)


def test_linear_rises_then_falls_to_zero() -> None:
    factors = [linear(step, 40, 0.25) for step in range(40)]
    np.testing.assert_allclose(factors[:10], np.arange(1, 11) / 10)
    np.testing.assert_allclose(factors[10:], np.arange(30, 0, -1) / 30)
    assert linear(40, 40, 0.25) == 0.0
    assert [linear(step, 1, 0.1) for step in (0, 1)] == [1.0, 0.0]


def test_cosine_is_half_way_down_in_the_middle() -> None:
    assert cosine(25, 40, 0.25) == pytest.approx(0.5)
    assert cosine(40, 40, 0.25) == pytest.approx(0.0)


def test_inverse_sqrt_is_equation_3_of_vaswani() -> None:
    width, rise = 512, 100

    def published(n: int) -> float:
        return width**-0.5 * min(n**-0.5, n * rise**-1.5)

    ours = [inverse_sqrt(step, 1000, 0.1) for step in range(1000)]
    np.testing.assert_allclose(ours, [published(n) / published(rise) for n in range(1, 1001)])


def test_slanted_triangular_is_equation_3_of_howard_and_ruder() -> None:
    total, cut_frac, ratio = 200, 0.1, 32
    cut = math.floor(total * cut_frac)

    def published(t: int) -> float:
        p = t / cut if t < cut else 1 - (t - cut) / (cut * (1 / cut_frac - 1))
        return (1 + p * (ratio - 1)) / ratio

    ours = [slanted_triangular(t, total, cut_frac) for t in range(total)]
    np.testing.assert_allclose(ours, [published(t) for t in range(total)])


def test_constant_stays() -> None:
    assert [constant(step, 8, 0.25) for step in (0, 1, 2, 7)] == [0.5, 1.0, 1.0, 1.0]
