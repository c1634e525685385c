"""Chosen columns as a memory-mapped Arrow table in the cache: text, pair, label (as JSON) and line."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np

from gradatim.data.cache import cache_folder, make_folder
from gradatim.data.columns import Columns
from gradatim.data.tables import Table
from gradatim.errors import DataError, MissingExtraError, SourceError
from gradatim.types import Array

_FORMAT = "1"  # part of every cache key: raise it when the meaning of the stored columns changes
_MISSING_TEXTS = frozenset({"", "nan", "NaN", "NULL", "null", "#N/A"})  # whole cells only
_MISSING_LABELS = frozenset({"", "nan", "NaN", "#N/A"})
_BATCH_ROWS = 1000
_BATCH_BYTES = 16 << 20
IN_MEMORY_BYTES = 256 << 20


class MappedTexts(Sequence[str]):
    """Strings of an Arrow column at chosen rows, read from disk as they are asked for."""

    def __init__(self, column: Any, rows: Array) -> None:
        self._column, self._rows = column, rows

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[str]: ...
    def __getitem__(self, at: int | slice) -> str | Sequence[str]:
        if isinstance(at, slice):
            return MappedTexts(self._column, self._rows[at])
        return str(self._column[int(self._rows[at])].as_py())

    def take(self, at: Array) -> MappedTexts:
        """The texts at these positions, still on disk."""
        return MappedTexts(self._column, self._rows[at])

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self._rows), _BATCH_ROWS):
            yield from self._column.take(self._rows[start : start + _BATCH_ROWS]).to_pylist()


def texts_at(column: Any, rows: Array) -> Sequence[str]:
    """The strings of a column at `rows`: a list when the column is under 256 MB, else read as needed."""
    if column.nbytes < IN_MEMORY_BYTES:
        return [str(text) for text in column.take(rows).to_pylist()] if len(rows) else []
    return MappedTexts(column, rows)


def take_texts(texts: Sequence[str], at: Array) -> Sequence[str]:
    """The texts at these positions; mapped ones stay mapped."""
    return texts.take(at) if isinstance(texts, MappedTexts) else [texts[i] for i in at.tolist()]


def arrow_table(table: Table, columns: Columns) -> Any:
    """The chosen columns as a memory-mapped `datasets.Dataset` with columns text, pair, label, line.

    Converted once per state of the source and kept in the cache. Labels are JSON, so that 1 and "1" stay
    apart; a missing text, pair or label is null. Raises DataError for a text that is not a string or number.
    """
    try:
        import datasets
    except ImportError as error:
        raise MissingExtraError("reading data sets", "train") from error
    path = _cached(table, columns)
    if not path.is_file():
        _convert(table, columns, path)
    return datasets.Dataset.from_file(str(path))


def _cached(table: Table, columns: Columns) -> Path:
    """One file per source and choice; the state of the source is the second half of its name."""
    chosen = f"{table.where}|{table.columns}|{columns.text}|{columns.text_pair}|{columns.label}"
    halves = (chosen, f"{_FORMAT}|{table.stamp}")
    name = "-".join(hashlib.sha256(half.encode()).hexdigest()[:24] for half in halves)
    return cache_folder() / "tables" / f"{name}.arrow"


def _convert(table: Table, columns: Columns, path: Path) -> None:
    import pyarrow as pa

    fields = [("text", pa.string()), ("pair", pa.string()), ("label", pa.string()), ("line", pa.int64())]
    schema = pa.schema(fields)
    make_folder(path.parent)
    handle, name = tempfile.mkstemp(prefix=".", suffix=".arrow", dir=path.parent)
    os.close(handle)
    part = Path(name)
    try:
        with pa.OSFile(name, "wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
            for batch in _batches(table, columns):
                arrays = [pa.array(values, kind) for values, (_, kind) in zip(batch, fields, strict=True)]
                writer.write_batch(pa.record_batch(arrays, schema=schema))
        part.chmod(0o644)  # a cache may be shared; temporary files are private
        part.replace(path)
    except OSError as error:
        raise SourceError(
            f"cannot write the cache {path.parent}: {error.strerror or error}; see GRADATIM_CACHE"
        ) from error
    finally:
        part.unlink(missing_ok=True)
    for old in path.parent.glob(path.name.partition("-")[0] + "-*.arrow"):
        if old != path:  # earlier states of the same source
            with contextlib.suppress(OSError):
                old.unlink()


def _batches(table: Table, columns: Columns) -> Iterator[list[list[Any]]]:
    batch: list[list[Any]] = [[], [], [], []]
    size = 0
    for number, cells in table.scan():
        where = f"{table.where}, line {number}"
        text = _text(cells[columns.text], where)
        pair = None if columns.text_pair is None else _text(cells[columns.text_pair], where)
        label = None if columns.label is None else _label(cells[columns.label])
        for values, value in zip(batch, (text, pair, label, number), strict=True):
            values.append(value)
        size += len(text or "") + len(pair or "")
        if len(batch[0]) == _BATCH_ROWS or size > _BATCH_BYTES:
            yield batch
            batch, size = [[], [], [], []], 0
    yield batch


def _text(cell: Any, where: str) -> str | None:
    if cell is None or (isinstance(cell, float) and np.isnan(cell)):
        return None
    if isinstance(cell, (int, float)):
        return str(cell)
    if not isinstance(cell, str):
        raise DataError(
            f"{where}: a text must be a string, not {type(cell).__name__}; choose another column with text"
        )
    try:
        cell.encode()
    except UnicodeEncodeError as error:
        raise DataError(
            f"{where}: the text holds half a surrogate pair (position {error.start}), which is no character"
        ) from error
    return None if cell.strip() in _MISSING_TEXTS else cell


def _label(cell: Any) -> str | None:
    if cell is None or (isinstance(cell, float) and np.isnan(cell)):
        return None
    if isinstance(cell, str):
        cell = cell.strip()
        return None if cell in _MISSING_LABELS else json.dumps(cell, ensure_ascii=True)
    return json.dumps(cell, ensure_ascii=True, default=str)
