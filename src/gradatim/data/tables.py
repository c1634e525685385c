"""Files as tables with columns, to be scanned: CSV, TSV, JSON Lines, Parquet, text lines."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any

from gradatim.data.delimited import Dialect, guess_dialect, scan_delimited
from gradatim.data.textfile import open_text, plain_suffix
from gradatim.errors import DataError, MissingExtraError

Row = tuple[int, Sequence[Any]]  # line (or row) number in the source, from 1, and the cells
SAMPLE_ROWS = 1000
SUFFIXES = (".csv", ".tsv", ".tab", ".jsonl", ".ndjson", ".json", ".parquet", ".txt")


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of named columns that can be scanned again and again.

    `where` names it in errors, `stamp` changes whenever its content may have, `classes` holds the label
    names in order of the columns for which the source states them.
    """

    where: str
    columns: tuple[str, ...]
    scan: Callable[[], Iterator[Row]]
    stamp: str
    notes: tuple[str, ...] = ()
    classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def sample(self) -> list[Sequence[Any]]:
        """The cells of the first rows, enough to guess from."""
        return [cells for _, cells in islice(self.scan(), SAMPLE_ROWS)]


def open_table(path: Path) -> Table:
    """The table in a file, by its suffix; raises DataError for a missing, empty or unknown one."""
    if not path.is_file():
        raise DataError(f"no such file: {path}")
    if path.stat().st_size == 0:
        raise DataError(f"{path} is empty")
    match plain_suffix(path):
        case ".csv" | ".tsv" | ".tab":
            return delimited_table(path, guess_dialect(path))
        case ".jsonl" | ".ndjson":
            return _records_table(path, lambda: scan_json_lines(path))
        case ".json":
            return _records_table(path, lambda: _scan_json_list(path))
        case ".parquet":
            return _parquet_table(path)
        case ".txt":
            return text_table(path)
        case other:
            raise DataError(
                f"{path}: cannot read files of type {other or '(none)'!r}; known are {', '.join(SUFFIXES)}"
            )


def stamp_of(path: Path) -> str:
    """Changes whenever the file's content may have changed."""
    status = path.stat()
    return f"{path.resolve()}|{status.st_size}|{status.st_mtime_ns}"


def delimited_table(path: Path, dialect: Dialect) -> Table:
    """The table of a file with delimiters."""
    stamp = f"{stamp_of(path)}|{dialect}"
    notes = (
        ()
        if dialect.header or dialect.named
        else (f"{path.name} has no header line: columns are called " + ", ".join(dialect.columns),)
    )
    return Table(str(path), dialect.columns, lambda: scan_delimited(path, dialect), stamp, notes)


def text_table(path: Path) -> Table:
    """A file with one text a line, as a table of one column `text`."""

    def scan() -> Iterator[Row]:
        with open_text(path) as stream:
            for number, line in enumerate(stream, 1):
                yield number, (line.rstrip("\r\n"),)

    return Table(str(path), ("text",), scan, stamp_of(path))


def concatenated(tables: Sequence[Table]) -> Table:
    """The tables of several files (shards) as one; raises DataError when their columns differ."""
    first = tables[0]
    for table in tables[1:]:
        if table.columns != first.columns:
            raise DataError(
                f"{table.where} and {first.where} have different columns; parts of one split must agree"
            )
    if len(tables) == 1:
        return first
    stamp = "|".join(table.stamp for table in tables)
    return Table(
        first.where, first.columns, lambda: chain.from_iterable(t.scan() for t in tables), stamp, first.notes
    )


def _records_table(path: Path, scan: Callable[[], Iterator[tuple[int, Mapping[str, Any]]]]) -> Table:
    """A table from records; its columns are the keys of the first rows, in order of appearance."""
    seen: dict[str, None] = {}
    for _, record in islice(scan(), SAMPLE_ROWS):
        seen.update(dict.fromkeys(record))
    if not seen:
        raise DataError(f"{path} holds no records")
    columns = tuple(seen)

    def rows() -> Iterator[Row]:
        for number, record in scan():
            yield number, [record.get(column) for column in columns]

    return Table(str(path), columns, rows, stamp_of(path))


def scan_json_lines(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The objects of a JSON Lines file with their line numbers; blank lines are passed over."""
    with open_text(path) as stream:
        for number, line in enumerate(stream, 1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except (json.JSONDecodeError, RecursionError) as error:
                raise DataError(f"{path}, line {number}: not valid JSON: {error}") from error
            yield number, _checked_record(record, f"{path}, line {number}")


def _scan_json_list(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    with open_text(path) as stream:
        try:
            records = json.load(stream)
        except (json.JSONDecodeError, RecursionError) as error:
            raise DataError(
                f"{path}: not valid JSON: {error}; one object per line belongs into a .jsonl file"
            ) from error
    if not isinstance(records, list):
        raise DataError(f"{path}: a .json file must hold a list of objects, one per row")
    for number, record in enumerate(records, 1):
        yield number, _checked_record(record, f"{path}, row {number}")


def _checked_record(record: object, where: str) -> Mapping[str, Any]:
    if not isinstance(record, dict):
        raise DataError(f'{where}: expected an object such as {{"text": ..., "label": ...}}')
    return record


def _parquet_table(path: Path) -> Table:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingExtraError("reading Parquet", "train") from error
    try:
        columns = tuple(pq.read_schema(path).names)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: not a readable Parquet file: {error}") from error

    def scan() -> Iterator[Row]:
        number = 0
        try:
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(batch_size=SAMPLE_ROWS):
                    for cells in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                        number += 1
                        yield number, cells
        except (pa.ArrowException, OSError) as error:
            raise DataError(f"{path}: damaged after row {number}: {error}") from error

    return Table(str(path), columns, scan, stamp_of(path))
