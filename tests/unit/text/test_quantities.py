"""Numbers and dates in texts and columns."""

from __future__ import annotations

import pytest

from gradatim.text.quantities import (
    column_quantities,
    keys,
    parse_date,
    parse_number,
    quantities,
    ranks,
    relations,
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1,234.5 and -3", [[1234.5], [-3.0]]),
        ("the 3rd of twelve", [[3.0], [12.0]]),
        ("in 1998", [[1998.0, (1998, None, None)]]),
        ("June 5, 1996", [[(1996, 6, 5)]]),
        ("from 1996-11-28 to 1.2.2003", [[(1996, 11, 28)], [(2003, 2, 1)]]),
        ("may", [[(None, 5, None)]]),
        ("Friday, Oct 7", [[(None, 10, 7)]]),
        ("1066", [[1066.0]]),  # no year, for it is too long ago
        ("february 30", [[(None, 2, None)], [30.0]]),
        ("nothing - at all", []),
    ],
)
def test_what_a_text_tells(text: str, found: list[object]) -> None:
    assert quantities(text) == found


def test_numbers_that_are_none() -> None:
    assert [parse_number(text) for text in ("nan", "inf", "1e999", "", "st", "x1")] == [None] * 6
    assert parse_date("13-13-1999") is None


def test_a_column_is_of_the_commoner_kind_or_of_none() -> None:
    assert column_quantities(["1990", "1991", "5 May 1992"]) == {
        0: (1990, None, None), 1: (1991, None, None), 2: (1992, 5, 5)
    }  # fmt: skip
    assert column_quantities(["7", "8 apples", "none", "9", "10"]) == {0: 7.0, 1: 8.0, 3: 9.0, 4: 10.0}
    assert column_quantities(["7", "a", "b"]) == {}


def test_ranks_share_a_place_and_relations_add_up() -> None:
    values = {0: 5.0, 2: 7.0, 3: 5.0, 4: -1.0}
    assert ranks(values) == {0: (2, 2), 2: (3, 1), 3: (2, 2), 4: (1, 3)}
    assert relations([5.0, 7.0], values) == {0: 1 | 4, 2: 2 | 1, 3: 1 | 4, 4: 4}
    assert relations([(1998, None, None)], values) == {}  # dates are not compared with numbers


def test_dates_are_compared_by_what_all_of_them_tell() -> None:
    assert keys([(1998, 5, 3), (1998, 6, None)]) == [(1998.0, 5.0), (1998.0, 6.0)]
    assert keys([(1998, None, None), (None, 5, None)]) is None
    assert keys([1.0, (1998, None, None)]) is None
