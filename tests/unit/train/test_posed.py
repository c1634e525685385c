"""Questions made up about tables: what they say of their own answers is true."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from gradatim.pipelines.denotation import AVERAGE, COUNT, NONE, SUM, denoted
from gradatim.train.kinds.posed import posed
from gradatim.types import Grid

GAMES = Grid(
    ("year", "winner", "games"),
    (("1998", "Ann", "2"), ("1999", "Bob", "3"), ("2000", "Ann", "5"), ("2001", "", "9")),
)
cells = st.sampled_from(["", "a", "b", "3", "4.5", "two {v}", "1,000", "7 km"])


@given(st.integers(1, 4), st.integers(1, 5), st.data())
@settings(max_examples=60, deadline=None)
def test_answers_are_what_the_cells_say_whatever_the_table(
    width: int, height: int, data: st.DataObject
) -> None:
    rows = [tuple(data.draw(cells) for _ in range(width)) for _ in range(height)]
    grid = Grid(tuple(f"c{at}" for at in range(width)), tuple(rows))
    for one in posed([grid], 5, seed=0):
        assert one.question.grid is grid
        assert list(one.question.answers) == denoted(grid, one.cells, one.aggregation)
        assert all(answer.strip() for answer in one.question.answers)


def test_questions_of_every_kind_are_asked_and_the_same_seed_asks_the_same() -> None:
    some = posed([GAMES], 2000, seed=1)
    assert {one.aggregation for one in some} == {NONE, SUM, AVERAGE, COUNT}
    assert [one.question for one in posed([GAMES], 2000, seed=1)] == [one.question for one in some]
    answers = {one.question.question: one.question.answers for one in some}
    assert len(answers) > 100
    known = {
        "which year has the most games?": ("2001",),
        "what is the total games?": ("19",),
        "how many rows have Ann as winner?": ("2",),
        "what is the first year listed?": ("1998",),
        "which year comes after 1998?": ("1999",),
    }
    assert {question: answers.get(question) for question in known} == known


def test_small_tables_are_asked_about_more_often_and_narrow_ones_never() -> None:
    large = Grid(("a", "b"), tuple((str(row), f"x{row}") for row in range(60)))
    narrow = Grid(("a",), (("1",),))
    grids = [one.question.grid for one in posed([GAMES, large, narrow], 200, seed=0)]
    counts = [sum(grid is wanted for grid in grids) for wanted in (GAMES, large, narrow)]
    assert counts[0] > 4 * counts[1] > 0 == counts[2]
    assert posed([narrow], 3, seed=0) == []
    assert posed([], 3, seed=0) == []
