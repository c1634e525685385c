"""The plan of a packed batch: a known one by hand, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from gradatim.nn.packed import Layout


def test_a_known_batch() -> None:
    layout = Layout.of([3, 1, 3, 1], waste=0.0)
    assert layout.offsets.tolist() == [0, 3, 4, 7]
    assert layout.positions.tolist() == [0, 1, 2, 0, 0, 1, 2, 0]
    assert layout.rows.tolist() == [0, 0, 0, 1, 2, 2, 2, 3]
    assert [(group.rows, group.longest) for group in layout.groups] == [(2, 1), (2, 3)]
    assert [group.members.tolist() for group in layout.groups] == [[1, 3], [0, 2]]
    assert (layout.num_rows, layout.num_tokens) == (4, 8)
    assert layout.order is not None
    # Groups put out tokens 3, 7 (the short rows), then 0, 1, 2, 4, 5, 6.
    assert layout.order.tolist() == [2, 3, 4, 0, 5, 6, 7, 1]


def test_equal_lengths_need_no_copy_at_all() -> None:
    layout = Layout.of([5, 5, 5])
    (group,) = layout.groups
    assert layout.order is None
    assert (group.gather, group.scatter, group.mask) == (None, None, None)


def test_neighbours_of_equal_length_need_no_gather() -> None:
    layout = Layout.of([2, 2, 11, 11])
    assert [(g.start, g.gather) for g in layout.groups] == [(0, None), (4, None)]
    assert layout.order is None


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint16])
def test_lengths_of_any_integer_type(dtype: type) -> None:
    assert Layout.of(np.array([3, 2], dtype)).positions.tolist() == [0, 1, 2, 0, 1]


@pytest.mark.parametrize("lengths", [[], [3, 0], [-1], [[2, 3]], [2.5, 3.0], [True, True]])
def test_lengths_that_are_no_positive_integers_are_refused(lengths: list) -> None:
    with pytest.raises(ValueError, match="positive integers"):
        Layout.of(np.array(lengths))


@pytest.mark.parametrize("waste", [-0.1, 1.5, float("nan")])
def test_waste_is_a_share(waste: float) -> None:
    with pytest.raises(ValueError, match="waste"):
        Layout.of([2, 3], waste=waste)
