"""Rows that come several times in one step."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gradatim.vectors.updates import summed_by_row


@given(st.lists(st.integers(0, 6), min_size=1, max_size=60))
def test_every_row_gets_the_sum_of_its_values(drawn: list[int]) -> None:
    rows = np.array(drawn)
    values = np.random.default_rng(0).integers(-9, 9, (len(rows), 3)).astype(np.float32)
    before = values.copy()
    found, summed = summed_by_row(rows, values)
    assert found.tolist() == sorted(set(drawn))
    expected = np.zeros((7, 3), dtype=np.float32)
    np.add.at(expected, rows, values)
    np.testing.assert_array_equal(summed, expected[found])
    np.testing.assert_array_equal(values, before)


def test_rows_that_fill_their_numbers_are_told_apart() -> None:
    rows = np.array([2**31 - 1, 2**31 - 2, 2**31 - 1, 3], dtype=np.int32)
    found, summed = summed_by_row(rows, np.ones((4, 1), dtype=np.float32))
    assert found.tolist() == [3, 2**31 - 2, 2**31 - 1]
    assert summed[:, 0].tolist() == [1, 1, 2]
