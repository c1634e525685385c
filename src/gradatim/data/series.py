"""A numeric series: one column of a table in the order of its rows, with what names its moments."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradatim.data.catalog import resolve_data
from gradatim.data.tables import Table, open_table
from gradatim.errors import DataError, did_you_mean
from gradatim.types import Array
from gradatim.wording import count

MISSING = ("", "na", "nan", "null", "none", ".")
MOST_MISSING = 0.2


@dataclass(frozen=True, slots=True)
class Series:
    """`values` (moments,) float64, and a label for each: a date, say."""

    name: str
    values: Array
    labels: tuple[str, ...]
    notes: tuple[str, ...] = ()


def load_series(source: str, column: str | None = None) -> Series:
    """The series in a column of a file or of a catalog name; without `column`, the only one that holds numbers.

    What is missing at its ends is left off, what is missing between values is drawn as a line between them; both are
    said. Raises DataError for a cell that is no number (line named), for columns to choose from, and where more than
    a fifth is missing.
    """
    path = resolve_data(source, "series")
    if path.is_dir():
        files = [file for file in sorted(path.rglob("*")) if file.is_file()]
        if len(files) != 1:
            raise DataError(
                f"{path} is a folder of {count(len(files), 'file')}: name the one with the series"
            )
        [path] = files
    table = open_table(path)
    at = _column(table, column)
    label = next((i for i in range(len(table.columns)) if i != at and _names_moments(table, i)), None)
    cells = [(number, row[at], "" if label is None else row[label]) for number, row in table.scan()]
    values = np.array([_number(cell, f"{table.where}, line {number}") for number, cell, _ in cells])
    known = np.flatnonzero(~np.isnan(values))
    if not len(known):
        raise DataError(f"{table.where}: column '{table.columns[at]}' holds no number")
    ends = len(values) - 1 - int(known[-1] - known[0])
    inside = slice(int(known[0]), int(known[-1]) + 1)
    values, cells = values[inside], cells[inside]
    missing = np.isnan(values)
    if missing.mean() > MOST_MISSING:
        raise DataError(f"{table.where}: {missing.sum():,} of {len(values):,} values are missing")
    notes: tuple[str, ...] = (f"{count(len(values), 'value')} of {table.columns[at]!r}",)
    if ends:
        notes += (f"{count(ends, 'row')} without a value, before the first or after the last, were left off",)
    if missing.any():
        moments = np.arange(len(values))
        values[missing] = np.interp(moments[missing], moments[~missing], values[~missing])
        notes += (f"{count(missing.sum(), 'missing value')}: lines between neighbours in their place",)
    labels = tuple(str(name) if label is not None else str(i) for i, (_, _, name) in enumerate(cells))
    return Series(table.columns[at], values, labels, notes)


def _column(table: Table, name: str | None) -> int:
    if name is not None:
        if name not in table.columns:
            raise DataError(f"{table.where} has no column '{name}'{did_you_mean(name, table.columns)}")
        return table.columns.index(name)
    numeric = [i for i in range(len(table.columns)) if _numeric(table, i)]
    if len(numeric) > 1:
        numeric = [i for i in numeric if not _names_moments(table, i)]
    if len(numeric) != 1:
        which = ", ".join(repr(table.columns[i]) for i in numeric)
        found = (
            f"several columns hold numbers: {which}" if numeric else "no column holds numbers, such as 1234.5"
        )
        raise DataError(
            f"{table.where}: {found}; choose one with --column. Columns: {', '.join(map(repr, table.columns))}"
        )
    return numeric[0]


def _names_moments(table: Table, column: int) -> bool:
    """Whether a column holds no numbers, or whole ones that only rise: years, or dates as 19580329."""
    if not _numeric(table, column):
        return True
    cells = [cells[column] for cells in table.sample()]
    found = np.array([float(cell) for cell in cells if _readable(cell)])
    return 1 < len(found) == len(cells) and bool(
        (np.diff(found) > 0).all() and (found == np.rint(found)).all()
    )


def _numeric(table: Table, column: int) -> bool:
    """Whether most of the first rows hold numbers there, apart from gaps."""
    found = [cells[column] for cells in table.sample()]
    filled = [cell for cell in found if not _absent(cell)]
    return 2 * sum(map(_readable, filled)) > len(filled)


def _absent(cell: Any) -> bool:
    return cell is None or str(cell).strip().lower() in MISSING


def _readable(cell: Any) -> bool:
    try:
        float(cell)
    except (TypeError, ValueError):
        return False
    return True


def _number(cell: Any, where: str) -> float:
    """A cell as a number, NaN where it is missing."""
    if _absent(cell):
        return math.nan
    try:
        value = float(cell)
    except (TypeError, ValueError):
        raise DataError(f"{where}: {cell!r} is not a number") from None
    if math.isinf(value):
        raise DataError(f"{where}: {cell!r} is not finite")
    return value
