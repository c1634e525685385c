"""CSV and TSV: finding out delimiter, quoting and header, and scanning rows with their line numbers."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from gradatim.data.textfile import open_text, plain_suffix
from gradatim.errors import DataError

_SAMPLE_ROWS = 200
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_HEADER_WORDS = 4
_FIELD_BYTES = 2**31 - 1  # the csv module refuses cells over 128 KiB unless told otherwise


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a delimited file reads. `named` says the columns were given, not read or made up."""

    delimiter: str
    quoted: bool = True
    header: bool = True
    columns: tuple[str, ...] = ()
    named: bool = False
    encoding: str = "utf-8"


def guess_dialect(path: Path) -> Dialect:
    """Delimiter, quoting and header of a file, from its suffix and first rows; DataError if it has none."""
    if plain_suffix(path) == ".csv":
        candidates = [Dialect(delimiter) for delimiter in ",;\t|"]
    else:
        candidates = [Dialect("\t", quoted=_tabs_are_quoted(path))]
    fitting = [dialect for dialect in candidates if _is_regular(_first_rows(path, dialect))]
    dialect = (fitting or candidates)[0]
    rows = _first_rows(path, dialect)
    if not rows:
        raise DataError(f"{path} is empty: it holds no rows")
    if _is_header(rows):
        return replace(dialect, columns=_distinct(path, rows[0]))
    width = len(rows[0])
    return replace(dialect, header=False, columns=tuple(f"column{i}" for i in range(1, width + 1)))


def scan_delimited(path: Path, dialect: Dialect) -> Iterator[tuple[int, Sequence[Any]]]:
    """Rows with the line they start on, without blank lines; DataError for a row of another width."""
    width = len(dialect.columns)
    for number, cells in islice(_rows(path, dialect), int(dialect.header), None):
        if len(cells) != width:
            cells = _fit(cells, width, dialect, f"{path}, line {number}")
        yield number, cells


def _fit(cells: list[str], width: int, dialect: Dialect, where: str) -> list[str]:
    """Drop empty cells beyond the last column; anything else of another width is refused."""
    if len(cells) > width and not any(cells[width:]):
        return cells[:width]
    quoting = (
        "a text with the delimiter in it must stand in double quotes"
        if dialect.quoted
        else "tabs inside a text must go"
    )
    raise DataError(f"{where}: {len(cells)} cells where the table has {width} columns; {quoting}")


def _rows(path: Path, dialect: Dialect, *, strict: bool = True) -> Iterator[tuple[int, list[str]]]:
    with open_text(path, dialect.encoding) as stream:
        if not dialect.quoted:
            for number, line in enumerate(stream, 1):
                if line.strip("\r\n"):
                    yield number, line.rstrip("\r\n").split(dialect.delimiter)
            return
        csv.field_size_limit(_FIELD_BYTES)
        reader = csv.reader(stream, delimiter=dialect.delimiter, strict=strict)
        start = 1
        try:
            for cells in reader:
                if cells:
                    yield start, cells
                start = reader.line_num + 1
        except csv.Error as error:
            raise DataError(
                f"{path}, line {start}: {error}; a quotation mark inside a quoted text must be doubled, "
                "and every opened one closed"
            ) from error


def _first_rows(path: Path, dialect: Dialect) -> list[list[str]]:
    """Rows to guess from; a wrong guess of the delimiter must not raise for its quotation marks."""
    return [cells for _, cells in islice(_rows(path, dialect, strict=False), _SAMPLE_ROWS)]


def _is_regular(rows: list[list[str]]) -> bool:
    """Whether all rows have the same number of cells, more than one."""
    return len({len(cells) for cells in rows}) == 1 and len(rows[0]) > 1


def _tabs_are_quoted(path: Path) -> bool:
    """TSV files of benchmarks hold bare quotation marks; those written by spreadsheets quote cells.

    Quoted it is when plain splitting gives ragged rows, or when whole columns stand in quotes.
    """
    rows = _first_rows(path, Dialect("\t", quoted=False))
    if not rows or len({len(cells) for cells in rows}) > 1:
        return True
    body = rows[1:] or rows
    return any(all(len(c) > 1 and c[0] == c[-1] == '"' for c in column) for column in zip(*body, strict=True))


def _is_header(rows: list[list[str]]) -> bool:
    """A header has a short, distinct name in every cell, none of them a number or a value seen below it."""
    names = [cell.strip() for cell in rows[0]]
    plausible = all(
        name and not _NUMBER.fullmatch(name) and len(name.split()) <= _HEADER_WORDS for name in names
    )
    if not plausible or len(set(names)) < len(names):
        return False
    return not any(
        len(cells) > i and cells[i].strip() == name for cells in rows[1:] for i, name in enumerate(names)
    )


def _distinct(path: Path, header: list[str]) -> tuple[str, ...]:
    names = tuple(name.strip() for name in header)
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError(f"{path}, line 1: the column name {twice[0]!r} occurs twice; rename one")
    return names
