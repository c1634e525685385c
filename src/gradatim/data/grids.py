"""Tables that questions are asked about, from CSV, TSV, JSON and Parquet files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gradatim.data.tables import delimited_rows, delimiter_and_quoting, open_table
from gradatim.data.textfile import decompressed
from gradatim.errors import DataError
from gradatim.types import Grid


@dataclass(frozen=True, slots=True)
class TableQuestion:
    """A question, the table that it is about, and the values that are its answer."""

    question: str
    grid: Grid
    answers: tuple[str, ...]


def read_grid(path: Path) -> Grid:
    """The table of a file, all cells as texts; in a CSV the first row is the header, whatever is in it.

    Raises DataError for a missing, empty or unknown file and, naming the line, for a row of another width.
    """
    if path.is_file() and decompressed(path).suffix.lower() in (".csv", ".tsv", ".tab"):
        rows = list(delimited_rows(path, *delimiter_and_quoting(path)))
        if not rows:
            raise DataError(f"{path} is empty: it holds no rows")
        width = len(rows[0][1])
        for line, cells in rows:
            if len(cells) != width:
                raise DataError(f"{path}, line {line}: {len(cells)} cells where the header has {width}")
        header, *body = (cells for _, cells in rows)
        return Grid.of(header, body)
    table = open_table(path)
    return Grid.of(table.columns, (cells for _, cells in table.scan()))
