"""The Pareto front."""

from climb_stories import ladder_rows, make_row
from hypothesis import given
from hypothesis import strategies as st

from gradatim.ladder.front import latency, pareto_front, size

figures = st.tuples(*[st.integers(1, 6).map(float)] * 3)


def dominated(row, rows, cost):
    return any(
        other.measurement.quality >= row.measurement.quality
        and cost(other) <= cost(row)
        and (other.measurement.quality > row.measurement.quality or cost(other) < cost(row))
        for other in rows
    )


@given(st.lists(figures, min_size=1, max_size=12))
def test_front_is_exactly_the_rows_that_are_not_dominated(drawn):
    rows = [make_row(f"m{i}", q / 10, ms, mb) for i, (q, ms, mb) in enumerate(drawn)]
    for cost in (latency, size):
        front = pareto_front(rows, cost)
        assert {row.name for row in front} == {row.name for row in rows if not dominated(row, rows, cost)}
        assert [cost(row) for row in front] == sorted(cost(row) for row in front)


def test_front_of_a_typical_climb():
    assert [row.name for row in pareto_front(ladder_rows())] == [
        "majority",
        "static",
        "linear",
        "student-2l-int8",
        "student-3l-int8",
        "fine-tuned-int8",
        "fine-tuned",
    ]
