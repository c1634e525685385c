"""Answers from tables beside annotated ones, and which cells are chosen."""

from __future__ import annotations

import numpy as np
import pytest

from gradatim.errors import ConfigError
from gradatim.pipelines.cells import choose_cells
from gradatim.pipelines.denotation import denoted, is_denoted, normalised
from gradatim.text.grids import GridConfig
from gradatim.types import Encoded, Grid

GRID = Grid(("name", "points"), (("Ann", "1,200 pts"), ("Bob", "3"), ("Cy", "none")))


@pytest.mark.parametrize(
    ("said", "wanted", "right"),
    [
        (["bangkok, Thailand."], ["Bangkok, Thailand"], True),
        (["Bjork"], ["Björk"], True),
        (["Rome (Italy)[3]"], ["rome"], True),
        (['"Hey Jude"†'], ["Hey Jude"], True),
        (["12467"], ["12,467"], True),
        (["2.0"], ["2"], True),
        (["2010-06-03"], ["June 3, 2010"], True),
        (["a", "b", "a"], ["b", "a"], True),
        (["a"], ["a", "b"], False),
        (["12 km"], ["12"], False),
        (["3"], ["4"], False),
        ([], ["0"], False),
    ],
)
def test_answers_are_compared_as_the_official_evaluator_does(
    said: list[str], wanted: list[str], right: bool
) -> None:
    assert is_denoted(said, wanted) == right


def test_what_is_left_of_a_text() -> None:
    assert normalised("  The “Big”  –  Café (1999) [note 2]. ") == 'the "big" - cafe (1999) [note 2]'
    assert normalised("Café (1999)[2]") == "cafe"


def test_cells_are_counted_and_added_up() -> None:
    cells = [(0, 1), (1, 1), (2, 1)]
    assert denoted(GRID, cells, "NONE") == ["1,200 pts", "3", "none"]
    assert denoted(GRID, cells, "COUNT") == ["3"]
    assert denoted(GRID, cells, "SUM") == ["1203"]
    assert denoted(GRID, cells, "AVERAGE") == ["601.5"]
    assert denoted(GRID, [(0, 0)], "SUM") == ["Ann"]


def windows(logits: list[list[float]], cells: list[list[int]]) -> tuple[np.ndarray, Encoded]:
    """One token of the question, the names of two columns, and then a token for each of these cells, in each window."""
    own = [[-1, -1, -1, *row] for row in cells]
    flat = np.array([cell for row in own for cell in row])
    columns = np.where(
        flat >= 0, flat % 2 + 1, np.concatenate([[0, 1, 2, *[0] * (len(row) - 3)] for row in own])
    )
    arrays = {"cells": flat, "columns": columns, "lengths": np.array([len(row) for row in own])}
    return np.array(logits), Encoded(arrays, np.zeros(len(own), dtype=np.int64), 1)


def test_one_column_is_chosen_for_all_windows_of_a_table() -> None:
    first = [[0, 0], [0, 0], [0, 0], [2, 1], [2, 9]]
    second = [[0, 0], [0, 0], [0, 0], [-2, 8], [3, 1], [5, 1], [5, 1]]
    logits, encoded = windows([*first, *second], [[0, 1], [2, 3, 4, 5]])
    (one,) = choose_cells(logits, encoded, [(3, 2)], GridConfig(), np.array([[0.0, 1.0], [3.0, 1.0]]))
    assert one.cells == [(0, 1), (1, 1), (2, 1)]  # mean logits of columns are 10/4 and 11/4
    assert one.aggregation == pytest.approx([3 * 7 / 12, 1.0])
    (several,) = choose_cells(logits, encoded, [(3, 2)], GridConfig(one_column=False))
    assert several.cells == [(0, 0), (0, 1), (1, 1), (2, 0), (2, 1)]
    logits[[0, 5], 1] = 50.0  # of the question
    assert choose_cells(logits, encoded, [(3, 2)], GridConfig(no_column=True))[0].cells == []
    assert len(choose_cells(logits, encoded, [(3, 2)], GridConfig())[0].cells) == 3
    unsure = logits - [50.0, 0.0]
    assert choose_cells(unsure, encoded, [(3, 2)], GridConfig())[0].cells == []
    (some,) = choose_cells(unsure, encoded, [(3, 2)], GridConfig(some=True))
    assert some.cells == [np.unravel_index(some.probabilities.argmax(), (3, 2))]


def test_cells_are_the_answer_only_where_they_are_likelier_than_those_that_are_computed_with() -> None:
    logits, encoded = windows([[0, 0]] * 3 + [[1, 1], [-9, 0], [4, 1], [-9, 0]], [[0, 1, 2, 3]])
    config = GridConfig(likely=0.95, plain=0)
    for aggregation, cells in ([2.0, 0.0], [(1, 0)]), ([0.0, 2.0], [(0, 0), (1, 0)]):
        assert choose_cells(logits, encoded, [(2, 2)], config, np.array([aggregation]))[0].cells == cells
    assert choose_cells(logits, encoded, [(2, 2)], config)[0].cells == [(1, 0)]
    with pytest.raises(ConfigError, match="likely is a probability between 0 and 1, not 95"):
        GridConfig(likely=95)


@pytest.mark.parametrize("one_column", [False, True])
def test_a_row_speaks_for_all_of_its_cells(one_column: bool) -> None:
    first = [[0, 0, 9], [0, 0, 9], [0, 0, 9], [-3, 0, 1], [-3, 1, 5]]  # a mean of 3 is not enough
    second = [[0, 0, 9], [0, 0, 9], [0, 0, 9], [-3, 0, 0], [-3, 1, 8]]
    logits, encoded = windows([*first, *second], [[0, 1], [2, 3]])
    (one,) = choose_cells(logits, encoded, [(2, 2)], GridConfig(one_column=one_column, rows=True))
    assert one.cells == ([(1, 1)] if one_column else [(1, 0), (1, 1)])
    assert logits[:, 0].sum() == -12  # what was given is left as it was
