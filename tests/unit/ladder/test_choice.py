"""The choice under a budget."""

import re
from dataclasses import replace

import pytest
from climb_stories import ladder_rows, make_row
from hypothesis import given
from hypothesis import strategies as st

from gradatim.ladder.choice import choose, excesses, purchases
from gradatim.types import Budget

positive = st.floats(0.001, 500, allow_nan=False)
row_lists = st.lists(st.tuples(st.floats(0.3, 0.99), positive, positive, positive), min_size=1, max_size=10)
limits = st.none() | positive
OPTIONS = {"--max-ms": "max_ms", "--max-mb": "max_mb", "--max-ram-mb": "max_ram_mb"}


def rows_of(drawn):
    return [make_row(f"m{i}", *figures) for i, figures in enumerate(drawn)]


@given(row_lists, limits, limits, limits)
def test_choice_keeps_its_promises(drawn, ms, mb, ram):
    rows, budget = rows_of(drawn), Budget(ms, mb, ram)
    inside = [row for row in rows if not excesses(row, budget)]
    choice = choose(rows, budget)
    assert choice.fits == bool(inside)
    if not inside:
        assert choice.chosen is choice.best is choice.runner_up is None
        assert choice.nearest in rows
        return
    assert choice.nearest is None
    best = max(row.measurement.quality for row in inside)
    assert choice.best.measurement.quality == best
    floor = choice.best.measurement.low
    fast_enough = [row.measurement.p95_ms for row in inside if row.measurement.quality >= floor]
    assert choice.chosen.measurement.quality >= floor
    assert choice.chosen.measurement.p95_ms == min(fast_enough)
    assert choice.runner_up is not choice.chosen
    assert (choice.runner_up is None) == (len(inside) == 1)


@given(row_lists, positive, positive, positive)
def test_relaxing_as_told_admits_the_nearest(drawn, ms, mb, ram):
    rows, budget = rows_of(drawn), Budget(ms / 100, mb / 100, ram / 100)
    choice = choose(rows, budget)
    if choice.fits:
        return
    told = dict(re.findall(r"relax (\S+) \S+ -> (\S+)", " ".join(choice.reasons)))
    relaxed = replace(budget, **{OPTIONS[option]: float(value) for option, value in told.items()})
    assert not excesses(choice.nearest, relaxed)
    for option, (_, measured) in excesses(choice.nearest, budget).items():
        assert float(told[option]) <= 1.12 * measured  # and not by more than rounding


def test_fast_student_within_the_interval_of_the_best_is_chosen():
    choice = choose(ladder_rows(), Budget(max_ms=2, max_mb=25))
    assert (choice.chosen.name, choice.runner_up.name, choice.best.name) == (
        "student-2l-int8",
        "student-3l-int8",
        "student-3l-int8",
    )


def test_runner_up_of_a_lone_best_is_the_next_best():
    rows = [make_row("good", 0.9, 1, 1), make_row("poor", 0.5, 0.1, 1), make_row("fair", 0.8, 3, 1)]
    choice = choose(rows, Budget())
    assert (choice.chosen.name, choice.runner_up.name) == ("good", "fair")


def test_equally_fast_and_good_the_smaller_is_chosen():
    rows = [make_row("large", 0.9, 1, 50), make_row("small", 0.9, 1, 5)]
    assert choose(rows, Budget()).chosen.name == "small"


def test_nearest_misses_by_the_smallest_factor():
    rows = [make_row("a", 0.9, 4, 30), make_row("b", 0.8, 3, 90)]
    choice = choose(rows, Budget(max_ms=2, max_mb=20))
    assert choice.nearest.name == "a"
    assert {"relax --max-ms 2 -> 4", "relax --max-mb 20 -> 30"} <= set(choice.reasons)


def test_a_limit_of_zero_is_missed_by_all_and_still_answered():
    choice = choose(ladder_rows(), Budget(max_ms=0))
    assert not choice.fits
    assert choice.nearest is not None


def test_memory_counts_as_budget():
    assert choose(ladder_rows(), Budget(max_ram_mb=63)).chosen.name == "majority"


def test_no_rows_is_refused():
    with pytest.raises(ValueError, match="nothing was measured"):
        choose([], Budget())


@given(row_lists)
def test_purchases_are_what_choose_would_choose(drawn):
    rows = rows_of(drawn)
    bought = purchases(rows)
    for max_ms, line in bought.items():
        for max_mb, row in line.items():
            assert choose(rows, Budget(max_ms, max_mb)).chosen is row
    *_, last = bought.values()
    assert last[max(last)] is choose(rows, Budget()).chosen  # the most money buys what no limit does
