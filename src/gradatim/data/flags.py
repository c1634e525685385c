"""Labels in columns of their own, 0 or 1 in each, as one column of lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from gradatim.data.columns import LABELS, find_column, index_of
from gradatim.data.tables import Table
from gradatim.errors import DataError

FEWEST = 3  # columns of 0 and 1 without a known name that are taken for labels: one or two may be anything
_FLAGS = {"0": False, "1": True, "0.0": False, "1.0": True, "false": False, "true": True}
_MISSING = ("", "none", "nan")


def join_flags(
    tables: Mapping[str, Table], label: str | None, known: Sequence[str] = ()
) -> Mapping[str, Table]:
    """The tables with their columns of flags as one, which `label` names, or which is called labels.

    They are the columns that `label` names with commas between them, else, where no column is called like a label,
    those called as the labels that are `known`, else all that hold nothing but 0 and 1, three at least, in the first
    table. Tables without them stay as they are. Raises DataError for a column that does not exist, and, when scanned,
    for a cell that is neither 0 nor 1.
    """
    first = next(iter(tables.values()))
    names = _flags(first, label, known)
    if not names:
        return tables
    return {
        split: _joined(table, names, label or "labels") if find_column(table, names) is not None else table
        for split, table in tables.items()
    }


def _flags(table: Table, label: str | None, known: Sequence[str]) -> list[str]:
    if table.roles or (label and (find_column(table, [label]) is not None or "," not in label)):
        return []
    if label:
        return [table.columns[index_of(table, name.strip())] for name in label.split(",")]
    if find_column(table, LABELS) is not None:
        return []
    if len(known) > 1 and set(known) <= set(table.columns):
        return list(known)
    cells = zip(*table.sample(), strict=True)
    found = [name for name, column in zip(table.columns, cells, strict=False) if all(map(_is_flag, column))]
    return found if len(found) >= FEWEST else []


def _joined(table: Table, names: Sequence[str], name: str) -> Table:
    """The table with one column of lists, the last, in place of `names`."""
    flags = [index_of(table, flag) for flag in names]
    rest = [at for at in range(len(table.columns)) if at not in flags]

    def join(where: str, cells: Sequence[Any]) -> list[Any]:
        values = [_value(cells[at], where, flag) for at, flag in zip(flags, names, strict=True)]
        on = [flag for flag, value in zip(names, values, strict=True) if value]
        return [*(cells[at] for at in rest), None if None in values else on]

    return replace(
        table,
        columns=(*(table.columns[at] for at in rest), name),
        scan=lambda: ((row, join(table.place(row), cells)) for row, cells in table.scan()),
        stamp=f"{table.stamp}|{names}",
        notes=(*table.notes, f"labels are columns of 0 and 1: {', '.join(names)}; together called {name!r}"),
    )


def _is_flag(cell: Any) -> bool:
    return str(cell).strip().lower() in _FLAGS


def _value(cell: Any, where: str, name: str) -> bool | None:
    """What a cell says; None where nothing stands."""
    text = str(cell).strip().lower()
    if text in _MISSING:
        return None
    if text not in _FLAGS:
        raise DataError(f"{where}: {name!r} holds {cell!r} where 0 or 1 says whether the text has that label")
    return _FLAGS[text]
