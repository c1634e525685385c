"""Questions about tables as `transformers.pipeline` has them: a table and a question in, cells and what to do with them
out.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from gradatim.data.grids import read_grid
from gradatim.errors import DataError
from gradatim.pipelines.calls import all_read, text_of, told
from gradatim.pipelines.cells import Chosen, choose_cells
from gradatim.pipelines.reader import ReadingPipeline, truncates
from gradatim.types import Encoded, Grid

CUTS = (True, "drop_rows_to_fit")
Asked = tuple[Grid, list[str]]


class TableQuestionAnswering(ReadingPipeline):
    """`{"answer", "coordinates", "cells", "aggregator"}` of a question about a table, a list of them for several.

    A table is a dictionary of columns, a list of rows as dictionaries, a data frame, or a CSV or Parquet file. With
    `sequential` every question is asked with the answer to the one before it in mind.

    Differs: of a table that does not fit all rows are read, in windows; transformers leaves out the ends of cells and
    the last rows, as here with truncation.
    """

    def __call__(self, inputs: Any = None, query: Any = None, *, table: Any = None, **options: Any) -> Any:
        """A dictionary of table and query or several, or both, perhaps by name; the query may be a list."""
        inputs = inputs if table is None else table
        if inputs is None:
            raise DataError("a table is needed, and a query about it")
        if query is not None:
            inputs = [{"table": inputs, "query": query}]
        if isinstance(inputs, list | tuple) and len(inputs) == 1:
            return super().__call__(inputs[0], **options)
        return super().__call__(inputs, **options)

    def answers(
        self, inputs: Sequence[Any], *, sequential: bool = False, truncation: Any = None
    ) -> list[Any]:
        """An answer, or a list of them, for each table."""
        truncate = truncates(truncation, CUTS)
        asked = all_read(inputs, _asked)
        if sequential:
            found = all_read(asked, lambda one: self._in_turn(*one, truncate))
        else:
            rest = iter(self._answered(asked, truncate))
            found = [[next(rest) for _ in queries] for _, queries in asked]
        return [answers if len(answers) > 1 else answers[0] for answers in found]

    def _answered(self, asked: Sequence[Asked], truncate: bool) -> list[dict[str, Any]]:
        encoded, cuts = self._encoded(asked, truncate)
        grids = [grid for grid, queries in asked for _ in queries]
        return [
            told(self._told(grid, one), cut if truncate else None)
            for grid, one, cut in zip(grids, self._chosen(grids, encoded), cuts, strict=True)
        ]

    def _in_turn(self, grid: Grid, queries: Sequence[str], truncate: bool) -> list[dict[str, Any]]:
        answers, cells = [], np.empty(0, dtype=np.int64)
        for query in queries:
            encoded, (cut,) = self._encoded([(grid, [query])], truncate)
            previous = np.isin(encoded.arrays["cells"], cells).astype(np.int32)
            marked = Encoded(
                {**encoded.arrays, "previous": previous}, encoded.owners, encoded.num_texts, encoded.cut
            )
            (chosen,) = self._chosen([grid], marked)
            cells = np.array(
                [row * len(grid.columns) + column for row, column in chosen.cells], dtype=np.int64
            )
            answers.append(told(self._told(grid, chosen), cut if truncate else None))
        return answers

    def _encoded(self, asked: Sequence[Asked], truncate: bool) -> tuple[Encoded, list[int]]:
        """Questions as rows, and of each how many tokens were left out."""
        encoder = self.reader.grids
        assert encoder is not None  # of a model of this kind

        def read(one: Asked) -> list[Encoded]:
            grid, queries = one
            return [encoder.encode([query], [grid], truncate=truncate) for query in queries]

        each = list(chain.from_iterable(all_read(asked, read)))
        encoded = Encoded.together(each)
        self.cut_tokens += encoded.cut
        return encoded, [one.cut for one in each]

    def _chosen(self, grids: Sequence[Grid], encoded: Encoded) -> list[Chosen]:
        config = self.reader.grid
        assert config is not None
        said = self.run(encoded)
        shapes = [(len(grid.rows), len(grid.columns)) for grid in grids]
        return choose_cells(said["logits"], encoded, shapes, config, said.get("aggregation"))

    def _told(self, grid: Grid, chosen: Chosen) -> dict[str, Any]:
        cells = [grid.rows[row][column] for row, column in chosen.cells]
        answer = {"answer": ", ".join(cells), "coordinates": chosen.cells, "cells": cells}
        if chosen.aggregation is None or not self.reader.labels:
            return answer
        best = int(chosen.aggregation.argmax())
        name = self.reader.labels[best]
        if self.reader.grid is None or best != self.reader.grid.plain:
            answer["answer"] = f"{name} > {answer['answer']}"
        return {**answer, "aggregator": name}


def grid_of(table: Any) -> Grid:
    """What is given as a table; raises DataError for one that is ragged, empty or none."""
    if isinstance(table, Grid):
        grid = table
    elif isinstance(table, str | os.PathLike):
        grid = read_grid(Path(table))
    elif isinstance(table, Mapping):
        columns = {name: _column(name, values) for name, values in table.items()}
        lengths = {name: len(values) for name, values in columns.items()}
        if len(set(lengths.values())) > 1:
            raise DataError(f"the columns of a table must be of one length, not {lengths}")
        grid = Grid.of(columns, zip(*columns.values(), strict=True))
    elif hasattr(table, "columns") and hasattr(table, "values"):
        cells = table.astype(object)  # else whole numbers become fractions beside a column of these
        grid = Grid.of(table.columns, cells.where(table.notna(), None).values.tolist())
    elif isinstance(table, list | tuple) and table and all(isinstance(row, Mapping) for row in table):
        names = list(table[0])
        for number, row in enumerate(table):
            if list(row) != names:
                raise DataError(
                    f"row {number} (counted from 0) has columns {list(row)}, the first row {names}: they must agree"
                )
        grid = Grid.of(names, (row.values() for row in table))
    else:
        raise DataError(
            "a table is a dictionary of columns, a list of rows as dictionaries, a data frame, or a CSV or Parquet "
            f"file, not {type(table).__name__}: {table!r:.60}"
        )
    if not grid.columns or not grid.rows:
        raise DataError("the table is empty: it needs at least one column and one row")
    return grid


def _column(name: Any, values: Any) -> list[Any]:
    if isinstance(values, str | Mapping) or not hasattr(values, "__iter__"):
        raise DataError(f"column {name!r} of a table must be a list of cells, not {values!r:.60}")
    return list(values)


def _asked(value: Any) -> Asked:
    if not isinstance(value, Mapping) or not {"table", "query"} <= set(value):
        raise DataError(f'a table is asked as {{"table": ..., "query": ...}}, not {value!r:.60}')
    given = value["query"]
    queries = [text_of(query, "query") for query in (given if isinstance(given, list | tuple) else [given])]
    if not queries or not all(query.strip() for query in queries):
        raise DataError("the query is empty")
    if value["table"] is None:
        raise DataError("there is no table")
    return grid_of(value["table"]), queries
