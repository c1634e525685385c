"""Questions and their tables to packed word pieces that know their row, column and rank (Herzig et al. 2020)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gradatim.errors import ConfigError, DataError
from gradatim.text.pieces import PieceEncoder
from gradatim.text.quantities import Quantity, column_quantities, quantities, ranks, relations
from gradatim.types import Array, Encoded, Grid

EMPTY = "[EMPTY]"  # the token of a cell that says nothing, where the vocabulary has it
CELL = 2  # the first so many of them tell cells apart
NO_CELL = -1
# Published.
SIZES = {
    "columns": 256,
    "rows": 256,
    "previous": 2,
    "ranks": 256,
    "inverse_ranks": 256,
    "relations": 10,
}
_NOTHING = ("n/a", "?", "nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class GridConfig:
    """How a model answers from a table.

    temperature  logits of cells are divided by it
    one_column   all cells that are chosen are of one column
    no_column    that this is no column at all may be likeliest
    whole_cells  of a cell's tokens logits are averaged; without it probabilities are. With `one_column` it is so anyway
    rows         a third logit of every token is of its row, and the mean of them adds to those of all cells in it
    some         a cell is chosen even where none is likely: the likeliest; an encoder that is small is seldom sure
    likely       cells likelier than this are chosen, where the answer is cells; where they are computed with, 0.5
    max_rows, max_columns  rows and columns that are told apart, one more than are read at once
    plain        the aggregation that is none, if any is
    """

    temperature: float = 1.0
    one_column: bool = True
    no_column: bool = False
    whole_cells: bool = False
    rows: bool = False
    some: bool = False
    likely: float = 0.5
    max_rows: int = 64
    max_columns: int = 32
    plain: int | None = None

    def __post_init__(self) -> None:
        if self.temperature <= 0 or min(self.max_rows, self.max_columns) < 2:
            raise ConfigError(
                "a model of tables needs a temperature above 0 and at least 2 max_rows and max_columns"
            )
        if not 0 < self.likely < 1:
            raise ConfigError(f"likely is a probability between 0 and 1, not {self.likely}")

    @property
    def divisors(self) -> tuple[float, ...]:
        """Of the logits of every token: of its cell, of its column, and perhaps of its row."""
        return (self.temperature, 1.0, self.temperature)[: 3 if self.rows else 2]


@dataclass(frozen=True, slots=True)
class _Tokens:
    """A table as tokens, its header first and then row by row, and the quantities of its columns.

    `words` counts the tokens of a cell up to the first one of the same word, `starts` (rows + 2,) is where the header,
    every row and the end are.
    """

    ids: Array
    columns: Array
    rows: Array
    words: Array
    starts: Array
    values: list[dict[int, Quantity]]
    ranks: Array  # (rows, columns, 2), from below and from above

    @property
    def header(self) -> int:
        """Tokens of the header."""
        return int(self.starts[1])


class GridEncoder:
    """Word pieces of questions beside their tables: `ids`, `segments`, `lengths` and the arrays of `MARKS`, packed.

    A row of them is the question, the header and rows of a table, cell after cell. `columns` and `rows` count from 1,
    the header is row 0, and 0 stands for what is no cell, no rank, no relation; `cells` names the cell of the whole
    table that each token is of, row by row, or is `NO_CELL`. A table that does not fit becomes windows: as many rows as
    do, counted from 1 in each, all with the question and the header; ranks are always those of the whole column.

    With `truncate` the ends of cells are left out until all fits, as evenly as can be, and then the last rows;
    `Encoded.cut` counts the tokens. `sizes` says how many values of each mark a model knows. Raises DataError for a
    question, or a row, that leaves no room.
    """

    def __init__(self, pieces: PieceEncoder, sizes: Mapping[str, int], config: GridConfig) -> None:
        self.pieces, self.sizes = pieces, sizes
        self.max_rows = min(config.max_rows, sizes["rows"]) - 1
        self.max_columns = min(config.max_columns, sizes["columns"]) - 1
        if self.max_rows < 1 or self.max_columns < 1:
            raise ConfigError("a model of tables must know at least one row and one column beside the header")
        self._empty = pieces.tokenizer.token_to_id(EMPTY)

    def encode(self, questions: Sequence[str], grids: Sequence[Grid], *, truncate: bool = False) -> Encoded:
        """Questions, each with its table, in the order given; a table may be given many times."""
        asked = self._pieces(questions)[0]
        tokens = {id(grid): self._tokens(grid) for grid in {id(grid): grid for grid in grids}.values()}
        rows: list[dict[str, Array]] = []
        owners: list[int] = []
        cut = 0
        for number, (question, grid, ids) in enumerate(zip(questions, grids, asked, strict=True)):
            table = tokens[id(grid)]
            room = self.pieces.max_length - sum(map(len, self.pieces.around)) - len(ids)
            if truncate:
                kept = [(0, self._shortened(table, room, number))]
                cut += len(table.ids) - len(kept[0][1])
            else:
                kept = self._windows(table, room, number)
            related = _related(question, table)
            rows += [self._row(ids, table, chosen, first, related) for first, chosen in kept]
            owners += [number] * len(kept)
        arrays = {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
        arrays["lengths"] = np.array([len(row["ids"]) for row in rows], dtype=np.int64)
        return Encoded(arrays, np.array(owners, dtype=np.int64), len(questions), cut)

    def _pieces(self, texts: Sequence[str]) -> tuple[list[list[int]], list[list[int]]]:
        """Tokens of every text, and of which of its words each is a part."""
        found = self.pieces.contents(list(texts), spans=True, places=True)
        ids, words = found["ids"], found["words"]
        for place, text in enumerate(texts):
            if self._empty is not None and text and _says_nothing(text):
                ids[place], words[place] = [self._empty], [0]
        return ids, words

    def _tokens(self, grid: Grid) -> _Tokens:
        width = len(grid.columns)
        if width > self.max_columns:
            raise DataError(
                f"a table has {width} columns, and the model tells at most {self.max_columns} apart: leave some out"
            )
        ids, words = self._pieces([*grid.columns, *(cell for row in grid.rows for cell in row)])
        counts = np.fromiter(map(len, ids), np.int64, len(ids))
        cells = np.repeat(np.arange(len(ids)), counts)
        first = [row.index(word) for row in words for word in row]
        values = [column_quantities([row[at] for row in grid.rows]) for at in range(width)]
        placed = np.zeros((len(grid.rows), width, 2), dtype=np.int64)
        for at, column in enumerate(values):
            for row, both in ranks(column).items():
                placed[row, at] = both
        starts = np.concatenate([[0], np.cumsum(counts.reshape(-1, width).sum(axis=1))])
        flat = np.fromiter((token for row in ids for token in row), np.int64, int(counts.sum()))
        return _Tokens(
            flat, cells % width + 1, cells // width, np.array(first, dtype=np.int64), starts, values, placed
        )

    def _windows(self, table: _Tokens, room: int, number: int) -> list[tuple[int, Array]]:
        """The first row of each window, and its tokens: the header, and as many rows as fit behind it."""
        sizes = np.diff(table.starts)[1:]
        left = room - table.header
        if left < 1 or sizes.max(initial=0) > left:
            worst = int(sizes.argmax()) if len(sizes) else 0
            needed = self.pieces.max_length - room + table.header + int(sizes.max(initial=0))
            raise DataError(
                f"question {number} (counted from 0) with header and row {worst} of its table needs {needed} tokens, "
                f"and the model reads {self.pieces.max_length}: shorten it, or ask for truncation"
            )
        windows, first, used = [], 0, 0
        for row, size in enumerate(sizes.tolist()):
            if row > first and (used + size > left or row - first == self.max_rows):
                windows.append((first, row))
                first, used = row, 0
            used += size
        windows.append((first, len(sizes)))
        header = np.arange(table.header)
        return [
            (a, np.concatenate([header, np.arange(table.starts[a + 1], table.starts[b + 1])]))
            for a, b in windows
        ]

    def _shortened(self, table: _Tokens, room: int, number: int) -> Array:
        """The tokens that are kept: of every cell as many words as fit, or else one of those of the first rows."""
        longest = int(table.words.max(initial=0)) + 1
        for last in range(min(len(table.starts) - 2, self.max_rows), 0, -1):
            inside = table.words[: table.starts[last + 1]]
            costs = np.cumsum(np.bincount(inside, minlength=longest))
            if (fitting := int(np.searchsorted(costs, room, side="right"))) > 0:
                return np.flatnonzero(inside < fitting)
        raise DataError(
            f"question {number} (counted from 0) leaves no room for its table: with one token of every name and of "
            f"every cell of a row it is longer than the {self.pieces.max_length} tokens that the model reads"
        )

    def _row(
        self, question: list[int], table: _Tokens, kept: Array, first: int, related: Array
    ) -> dict[str, Array]:
        """One row of tokens: the question between special tokens, and these of the table, from its `first` row on."""
        before, between = self.pieces.around
        asked = [*before, *question, *between]
        columns, rows = table.columns[kept], table.rows[kept]
        body = rows > 0
        at = (np.maximum(rows, 1) - 1, columns - 1)
        told = {
            "segments": np.ones_like(rows),
            "columns": columns,
            "rows": np.where(body, rows - first, 0),
            "previous": np.zeros_like(rows),
            "ranks": np.where(body, table.ranks[at][:, 0], 0),
            "inverse_ranks": np.where(body, table.ranks[at][:, 1], 0),
            "relations": np.where(body, related[at], 0),
            "cells": np.where(body, at[0] * related.shape[1] + at[1], NO_CELL),
        }
        for name, size in self.sizes.items():
            told[name] = np.minimum(told[name], size - 1)
        found = {"ids": np.concatenate([asked, table.ids[kept]]).astype(np.int64)}
        for name, values in told.items():
            outside = np.full(len(asked), NO_CELL if name == "cells" else 0)
            found[name] = np.concatenate([outside, values]).astype(np.int32)
        return found


def _related(question: str, table: _Tokens) -> Array:
    """How the quantities of a question compare with those of every cell, (rows, columns)."""
    asked = [meaning for span in quantities(question) for meaning in span]
    found = np.zeros(table.ranks.shape[:2], dtype=np.int64)
    for at, column in enumerate(table.values):
        for row, relation in relations(asked, column).items():
            found[row, at] = relation
    return found


def _says_nothing(text: str) -> bool:
    """Whether a cell has no letter and no digit, or a word for that."""
    text = text.lower().strip()
    return text in _NOTHING or not re.sub(r"[\W_]+", "", text)
