"""One split as usable rows in a memory-mapped Arrow table of the cache, with the unusable ones counted out."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from gradatim.data.cache import cache_folder, staged
from gradatim.data.columns import Columns
from gradatim.data.labels import targets
from gradatim.data.splits import content_key
from gradatim.data.tables import Table
from gradatim.errors import DataError, MissingExtraError
from gradatim.types import Array, Examples, Task

IN_MEMORY_BYTES = 256 << 20  # columns from this size on stay on disk
_FORMAT = "2"  # part of every cache key: raise it when the meaning of the stored columns changes
_MISSING_LABELS = frozenset({"", "nan", "NaN", "#N/A"})  # whole cells only
_MISSING_TEXTS = _MISSING_LABELS | {"NULL", "null"}
_BATCH_ROWS = 1000
_BATCH_BYTES = 16 << 20
_SHOWN = 5


class MappedTexts(Sequence[str]):
    """Strings of an Arrow column at chosen rows, read from disk as they are asked for."""

    def __init__(self, column: Any, rows: Array) -> None:
        self._column, self._rows = column, rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, at: Any) -> Any:
        """One text, or for a slice or an array of positions the texts there, still on disk."""
        if isinstance(at, (slice, np.ndarray)):
            return MappedTexts(self._column, self._rows[at])
        return self._column[int(self._rows[at])].as_py()

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self._rows), _BATCH_ROWS):
            yield from self._column.take(self._rows[start : start + _BATCH_ROWS]).to_pylist()

    def unmapped(self) -> Sequence[str]:
        """The texts as a list, unless their column is too large for that."""
        return list(self) if self._column.nbytes < IN_MEMORY_BYTES else self


@dataclass(frozen=True)
class Rows:
    """The usable rows of a split: `lines` are their places, `labels` JSON strings, then sets of names."""

    where: str
    texts: MappedTexts
    pairs: MappedTexts | None
    labels: Sequence[Any]
    lines: Array

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, at: Array) -> Rows:
        """The rows at these positions, in that order."""
        pairs = None if self.pairs is None else self.pairs[at]
        return Rows(self.where, self.texts[at], pairs, [self.labels[i] for i in at], self.lines[at])

    @cached_property
    def keys(self) -> list[bytes]:
        """A key per row, equal for equal content."""
        pairs = [None] * len(self) if self.pairs is None else self.pairs
        return [content_key(text, pair) for text, pair in zip(self.texts, pairs, strict=True)]

    def places(self) -> dict[str, str]:
        """Every distinct label and where it stands first."""
        first: dict[str, int] = {}
        for label, line in zip(self.labels, self.lines.tolist(), strict=True):
            first.setdefault(label, line)
        return {label: f"line {line} of {self.where}" for label, line in first.items()}

    def known_to(self, task: Task) -> tuple[Rows, str]:
        """The rows that have only labels of the task, and the other labels with their counts."""
        names = set(task.labels)
        at = [i for i, labels in enumerate(self.labels) if names.issuperset(labels)]
        unknown = Counter(name for labels in self.labels for name in labels if name not in names)
        listing = listed([f"{name} ({count})" for name, count in unknown.most_common()])
        return self.take(np.array(at, dtype=np.int64)) if unknown else self, listing

    def examples(self, task: Task) -> Examples:
        """The rows as examples of a task; their labels must be the task's."""
        pairs = None if self.pairs is None else self.pairs.unmapped()
        return Examples(self.texts.unmapped(), pairs, targets(task, self.labels))


def read_rows(table: Table, columns: Columns, split: str) -> tuple[Rows, list[str]]:
    """The usable rows of a table and what was left out; raises DataError when none is left."""
    data = arrow_table(table, columns)
    texts, pairs, labels, lines = (data.column(name) for name in ("text", "pair", "label", "line"))
    places = lines.to_numpy()
    without_text, without_label = _is_null(texts), _is_null(labels)
    if columns.text_pair is not None:
        without_text |= _is_null(pairs)
    left_out = [
        f"{split}: {count} of {len(places)} rows {what} left out ({_lines(places[mask])})"
        for what, mask in (("without text", without_text), (table.unlabelled, without_label & ~without_text))
        if (count := int(mask.sum()))
    ]
    keep = np.flatnonzero(~without_text & ~without_label)
    if not len(keep):
        raise DataError("; ".join([f"{table.where} holds no usable rows", *left_out]))
    rows = Rows(
        table.where,
        MappedTexts(texts, keep),
        None if columns.text_pair is None else MappedTexts(pairs, keep),
        labels.take(keep).to_pylist(),
        places[keep],
    )
    return rows, left_out


def arrow_table(table: Table, columns: Columns) -> Any:
    """The chosen columns as a memory-mapped Arrow table with columns text, pair, label and line.

    Converted once per state of the source and kept in the cache. Labels are JSON, so that 1 and "1" stay
    apart; a missing text, pair or label is null. Raises DataError for a text that is not a string or number.
    """
    try:
        import datasets
        import pyarrow as pa
    except ImportError as error:
        raise MissingExtraError("reading data sets", "train") from error
    chosen = f"{table.where}|{table.columns}|{columns.text}|{columns.text_pair}|{columns.label}"
    halves = (chosen, f"{_FORMAT}|{table.stamp}")
    source, state = (hashlib.sha256(half.encode()).hexdigest()[:24] for half in halves)
    folder = cache_folder() / "tables" / f"{source}-{state}"
    if not folder.is_dir():
        types = {"text": pa.string(), "pair": pa.string(), "label": pa.string(), "line": pa.int64()}
        schema = pa.schema(types)
        with staged(folder) as workplace, pa.ipc.new_stream(workplace / "rows.arrow", schema) as writer:
            for batch in _batches(table, columns):
                arrays = [pa.array(values, kind) for values, kind in zip(batch, types.values(), strict=True)]
                writer.write_batch(pa.record_batch(arrays, schema=schema))
        for old in folder.parent.glob(f"{source}-*"):
            if old != folder:  # earlier states of the same source
                shutil.rmtree(old, ignore_errors=True)
    return datasets.Dataset.from_file(str(folder / "rows.arrow")).data


def listed(names: Sequence[str]) -> str:
    """The first few names, with dots where there are more."""
    return ", ".join(names[:_SHOWN]) + ", ..." * (len(names) > _SHOWN)


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
    if cell is None or cell != cell:  # only NaN differs from itself
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
    if isinstance(cell, str):
        cell = cell.strip()
        cell = None if cell in _MISSING_LABELS else cell
    if cell is None or cell != cell:
        return None
    return json.dumps(cell, ensure_ascii=True, default=str)


def _is_null(column: Any) -> Array:
    return np.array(column.is_null().to_numpy(), dtype=bool)


def _lines(lines: Array) -> str:
    return f"line{'s' * (len(lines) > 1)} {listed([str(line) for line in lines[: _SHOWN + 1]])}"
