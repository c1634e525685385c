"""Questions beside their tables as rows of tokens."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradatim.errors import ConfigError, DataError
from gradatim.text.grids import SIZES, GridConfig, GridEncoder
from gradatim.text.pieces import PieceEncoder
from gradatim.types import MARKS, Encoded, Grid

GRID = Grid(("film", "c"), (("good", "3"), ("bad", "1"), ("not very", "3")))


def encoder(tokenizer_json: str, length: int = 40, **how: int) -> GridEncoder:
    return GridEncoder(PieceEncoder(tokenizer_json, max_length=length), SIZES, GridConfig(**how))


def test_every_token_knows_its_cell(tokenizer_json: str) -> None:
    arrays = encoder(tokenizer_json).encode(["the film"], [GRID]).arrays
    assert arrays["lengths"].tolist() == [13]
    assert arrays["segments"].tolist() == [0] * 4 + [1] * 9
    assert arrays["columns"].tolist() == [0] * 4 + [1, 2, 1, 2, 1, 2, 1, 1, 2]
    assert arrays["rows"].tolist() == [0] * 4 + [0, 0, 1, 1, 2, 2, 3, 3, 3]
    assert arrays["cells"].tolist() == [-1] * 4 + [-1, -1, 0, 1, 2, 3, 4, 4, 5]
    assert arrays["ranks"].tolist() == [0] * 4 + [0, 0, 0, 2, 0, 1, 0, 0, 2]
    assert arrays["inverse_ranks"].tolist() == [0] * 4 + [0, 0, 0, 1, 0, 2, 0, 0, 1]


@given(st.lists(st.lists(st.sampled_from(["good", "bad film", "3", "", "-"]), min_size=2, max_size=2), min_size=1),
       st.integers(14, 30))  # fmt: skip
def test_windows_hold_every_token_of_the_table_once(
    tokenizer_json: str, rows: list[list[str]], length: int
) -> None:
    grid = Grid.of(("film", "c"), rows)
    whole = encoder(tokenizer_json, 2000, max_rows=200).encode(["the film"], [grid])
    split = encoder(tokenizer_json, length).encode(["the film"], [grid])
    assert split.arrays["lengths"].max() <= length
    for name in ("ids", "cells", "columns", "ranks", "inverse_ranks", "relations"):
        inside = split.arrays["cells"] >= 0
        assert split.arrays[name][inside].tolist() == whole.arrays[name][whole.arrays["cells"] >= 0].tolist()
    starts = np.cumsum(split.arrays["lengths"]) - split.arrays["lengths"]
    for start in starts:
        assert split.arrays["ids"][start : start + 6].tolist() == whole.arrays["ids"][:6].tolist()
    assert split.cut == 0


def test_ends_of_cells_go_before_rows_and_are_counted(tokenizer_json: str) -> None:
    short = encoder(tokenizer_json, 12).encode(["the film"], [GRID], truncate=True)
    assert short.cut == 1
    assert short.arrays["cells"].tolist()[-2:] == [4, 5]
    fewer = encoder(tokenizer_json, 11).encode(["the film"], [GRID], truncate=True)
    assert fewer.cut == 3
    assert fewer.arrays["rows"].max() == 2


def test_as_many_rows_as_a_model_tells_apart_are_read_at_once(tokenizer_json: str) -> None:
    found = encoder(tokenizer_json, max_rows=3).encode(["a", "b"], [GRID, GRID])
    assert found.owners.tolist() == [0, 0, 1, 1]
    assert found.arrays["rows"].max() == 2


def test_several_questions_are_each_alone_together(tokenizer_json: str) -> None:
    made, asked = encoder(tokenizer_json), ["the 2 films", "good!"]
    both = made.encode(asked, [GRID, GRID])
    apart = Encoded.together([made.encode([question], [GRID]) for question in asked])
    assert all(
        (both.arrays[name] == apart.arrays[name]).all() for name in (*MARKS, "ids", "cells", "lengths")
    )
    assert both.owners.tolist() == apart.owners.tolist()


def test_what_leaves_no_room_is_refused(tokenizer_json: str) -> None:
    with pytest.raises(DataError, match=r"question 0 .* row 2 .* 10 tokens, and the model reads 9"):
        encoder(tokenizer_json, 9).encode(["the film bad"], [GRID])
    with pytest.raises(DataError, match="leaves no room"):
        encoder(tokenizer_json, 11).encode(["the film " * 5], [GRID], truncate=True)
    with pytest.raises(DataError, match="2 columns, and the model tells at most 1 apart"):
        encoder(tokenizer_json, max_columns=2).encode(["a"], [GRID])
    with pytest.raises(ConfigError, match="temperature"):
        GridConfig(temperature=0.0)
