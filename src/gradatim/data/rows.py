"""One split as usable rows in a memory-mapped Arrow table of the cache, with the unusable ones counted out."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np

from gradatim.cache import cache_folder, staged
from gradatim.data.columns import Columns
from gradatim.data.labels import targets
from gradatim.data.splits import content_key
from gradatim.data.tables import Table
from gradatim.data.textfile import encodable
from gradatim.errors import DataError, MissingExtraError
from gradatim.types import Array, Examples, Task

IN_MEMORY_BYTES = 256 << 20  # columns from this size on stay on disk
_FORMAT = "3"  # part of every cache key: raise it when the meaning of the stored columns changes
_MISSING_LABELS = frozenset({"", "nan", "NaN", "#N/A"})  # whole cells only
_MISSING_TEXTS = _MISSING_LABELS | {"NULL", "null"}
_BATCH_ROWS = 500  # an Arrow batch holds 2 GB of text: 4 MB a row
_SHOWN = 5


class NoRowsError(DataError):
    """No row of a table has both text and label."""


@dataclass(frozen=True)
class Rows:
    """The usable rows of a split: text, pair, label and line in `data`; `labels` as JSON, later as names."""

    table: Table
    data: Any  # a datasets.Dataset, mapped from disk
    paired: bool
    labels: Sequence[Any]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def where(self) -> str:
        return self.table.where

    def take(self, at: Array) -> Rows:
        """The rows at these positions, in that order."""
        return Rows(self.table, self.data.select(at), self.paired, [self.labels[i] for i in at])

    def texts(self, column: str) -> Sequence[str]:
        """The strings of a column: a list, or read from disk as they are asked for where it is large."""
        texts: Sequence[str] = self.data[column]
        return texts[:] if self.data.data.column(column).nbytes < IN_MEMORY_BYTES else texts

    @cached_property
    def keys(self) -> list[bytes]:
        """A key per row, equal for equal content."""
        return list(map(content_key, self.texts("text"), self.texts("pair")))

    def places(self) -> dict[str, str]:
        """Every distinct label and where it stands first."""
        first: dict[str, int] = {}
        for label, number in zip(self.labels, self.data["line"][:], strict=True):
            first.setdefault(label, number)
        return {label: self.table.place(number) for label, number in first.items()}

    def known_to(self, task: Task) -> tuple[Rows, str]:
        """The rows that have only labels of the task, and the other labels with their counts."""
        unknown = Counter(name for labels in self.labels for name in labels)
        for name in task.labels:
            unknown.pop(name, None)
        at = [i for i, labels in enumerate(self.labels) if unknown.keys().isdisjoint(labels)]
        listing = listed([f"{name} ({count})" for name, count in unknown.most_common()])
        return self.take(np.array(at, dtype=np.int64)) if unknown else self, listing

    def examples(self, task: Task) -> Examples:
        """The rows as examples of a task; their labels must be the task's."""
        pairs = self.texts("pair") if self.paired else None
        return Examples(self.texts("text"), pairs, targets(task, self.labels))


def read_rows(table: Table, columns: Columns, split: str) -> tuple[Rows, list[str]]:
    """The usable rows of a table and what was left out; raises NoRowsError when none is left."""
    data = arrow_rows(table, columns)
    paired = columns.text_pair is not None
    missing = {name: data.data.column(name).is_null().to_numpy() for name in ("text", "pair", "label")}
    without_text = missing["text"] | (missing["pair"] & paired)
    without_label = missing["label"] & ~without_text
    left_out = [
        f"{split}: {len(at)} of {len(data)} rows {what} left out "
        f"({_lines(table, data.select(at)['line'][:])})"
        for what, mask in (("without text", without_text), (table.unlabelled, without_label))
        if len(at := np.flatnonzero(mask))
    ]
    usable = data.select(np.flatnonzero(~without_text & ~without_label))
    if not len(usable):
        raise NoRowsError("; ".join([f"{table.where} holds no usable rows", *left_out]))
    return Rows(table, usable, paired, usable["label"][:]), left_out


def arrow_rows(table: Table, columns: Columns) -> Any:
    """The chosen columns as a memory-mapped `datasets.Dataset` with columns text, pair, label and line.

    Converted once per state of the source and kept in the cache. Labels are JSON, so that 1 and "1" stay
    apart; a missing text, pair or label is null. Raises DataError for a text that is not a string or number.
    """
    try:
        import datasets
        import pyarrow as pa
    except ImportError as error:
        raise MissingExtraError("reading data sets", "train") from error
    identity = table.identity or table.where
    chosen = f"{identity}|{table.columns}|{columns.text}|{columns.text_pair}|{columns.label}"
    halves = (chosen, f"{_FORMAT}|{table.stamp}")
    source, state = (hashlib.sha256(half.encode()).hexdigest()[:24] for half in halves)
    folder = cache_folder() / "tables" / f"{source}-{state}"
    file = folder / "rows.arrow"
    if not file.is_file():
        schema = pa.schema(
            {"text": pa.string(), "pair": pa.string(), "label": pa.string(), "line": pa.int64()}
        )
        with staged(folder) as workplace, pa.ipc.new_stream(workplace / file.name, schema) as writer:
            rows = _converted(table, columns)
            while batch := list(islice(rows, _BATCH_ROWS)):
                writer.write_batch(pa.RecordBatch.from_pylist(batch, schema=schema))
        for old in folder.parent.glob(f"{source}-*"):
            if old != folder:  # earlier states of the same source
                shutil.rmtree(old, ignore_errors=True)
    return datasets.Dataset.from_file(str(file))


def listed(names: Sequence[Any]) -> str:
    """The first few names, with dots where there are more."""
    return ", ".join(map(str, names[:_SHOWN])) + ", ..." * (len(names) > _SHOWN)


def _lines(table: Table, numbers: Sequence[int]) -> str:
    """The first few of the lines, with their files where the table has several."""
    if table.files:
        return listed([table.place(number) for number in numbers[: _SHOWN + 1]])
    return f"line{'s' * (len(numbers) > 1)} {listed(numbers)}"


def _converted(table: Table, columns: Columns) -> Iterator[dict[str, Any]]:
    for line, cells in table.scan():
        where = table.place(line)
        yield {
            "text": _text(cells[columns.text], where),
            "pair": None if columns.text_pair is None else _text(cells[columns.text_pair], where),
            "label": None if columns.label is None else _label(cells[columns.label]),
            "line": line,
        }


def _text(cell: Any, where: str) -> str | None:
    if cell is None or cell != cell:  # only NaN differs from itself
        return None
    if isinstance(cell, (int, float)):
        return str(cell)
    if not isinstance(cell, str):
        raise DataError(
            f"{where}: a text must be a string, not {type(cell).__name__}; choose another column with text"
        )
    return None if encodable(cell, where).strip() in _MISSING_TEXTS else cell


def _label(cell: Any) -> str | None:
    content = cell.strip() if isinstance(cell, str) else cell
    if content is None or content != content or (isinstance(content, str) and content in _MISSING_LABELS):
        return None
    return json.dumps(content, default=str)
