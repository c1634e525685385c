"""Files as tables with columns, to be scanned: CSV, TSV, JSON Lines, Parquet, text lines."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path
from typing import Any

from gradatim.data.textfile import decompressed, is_plain, open_text
from gradatim.errors import DataError, MissingExtraError

Row = tuple[int, Sequence[Any]]  # line (or row) number from 1, as `Table.place` reads it, and the cells
SUFFIXES = (".csv", ".tsv", ".tab", ".jsonl", ".ndjson", ".json", ".parquet", ".txt")
_SAMPLE_ROWS = 1000
_DIALECT_ROWS = 200
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_HEADER_WORDS = 4
_FILE_LINES = 2**40  # more than a file has: the numbers of a table's next file begin there
_FIELD_BYTES = 2**31 - 1  # the csv module refuses cells over 128 KiB unless told otherwise


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of named columns that can be scanned again and again, and what their source says about them.

    `where` names it in errors, `stamp` changes whenever its content may have. `roles` holds the columns of
    "text", "text_pair" and "label" as far as the source states any; `names`, per column, the name of each
    raw label, in class order; `unlabelled` says what a row without label is. `identity` tells the source from all
    others, whatever a user called it and whichever folder that was said in (default: `where`). `files` are those of
    which it was made, where there are several.
    """

    where: str
    columns: tuple[str, ...]
    scan: Callable[[], Iterator[Row]]
    stamp: str
    notes: tuple[str, ...] = ()
    roles: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    unlabelled: str = "without a label"
    identity: str = ""
    files: tuple[str, ...] = ()

    def place(self, number: int) -> str:
        """Where a row stands: its file, and its line there."""
        file, line = divmod(number, _FILE_LINES)
        return f"{self.files[file] if self.files else self.where}, line {line}"

    def sample(self) -> list[Sequence[Any]]:
        """The cells of the first rows, enough to guess from."""
        return [cells for _, cells in islice(self.scan(), _SAMPLE_ROWS)]

    def mapped(self, change: Callable[[Any], Sequence[Any]], *columns: str) -> Table:
        """The table with `change` made to the cells of every row, and new columns if given."""
        return replace(
            self,
            columns=columns or self.columns,
            scan=lambda: ((number, change(cells)) for number, cells in self.scan()),
        )


def open_table(path: Path) -> Table:
    """The table in a file, by its suffix; raises DataError for a missing, empty or unknown one."""
    if path.is_dir():
        raise DataError(f"{path} is a folder where a file is wanted; name one in it")
    if not path.is_file():
        raise DataError(f"no such file: {path}")
    if path.stat().st_size == 0:
        raise DataError(f"{path} is empty")
    match decompressed(path).suffix.lower():
        case ".csv" | ".tsv" | ".tab":
            return delimited_table(path)
        case ".jsonl" | ".ndjson" | ".json":
            return _records_table(path)
        case ".parquet":
            return _parquet_table(path)
        case _ if is_plain(path):
            return text_table(path)
        case other:
            raise DataError(
                f"{path}: cannot read files of type {other or '(none)'!r}; known are {', '.join(SUFFIXES)}"
            )


def stamp_of(path: Path) -> str:
    """Changes whenever the file's content may have changed."""
    status = path.stat()
    return f"{path.resolve()}|{status.st_size}|{status.st_mtime_ns}"


def concatenated(tables: Sequence[Table]) -> Table:
    """The tables of several files (shards) as one; raises DataError when their columns differ."""
    first, *others = tables
    if not others:
        return first
    for table in others:
        if table.columns != first.columns:
            raise DataError(
                f"{table.where} and {first.where} have different columns; parts of one split must agree"
            )

    def scan() -> Iterator[Row]:
        for file, table in enumerate(tables):
            yield from ((file * _FILE_LINES + line, cells) for line, cells in table.scan())

    stamp = "|".join(table.stamp for table in tables)
    return replace(first, scan=scan, stamp=stamp, files=tuple(table.where for table in tables))


def text_table(path: Path, encoding: str = "utf-8") -> Table:
    """A file with one text a line, as a table of one column `text`."""

    def scan() -> Iterator[Row]:
        with open_text(path, encoding) as stream:
            for number, line in enumerate(stream, 1):
                yield number, (line.rstrip("\r\n"),)

    return Table(str(path), ("text",), scan, stamp_of(path), identity=str(path.resolve()))


def delimited_table(
    path: Path, delimiter: str = "", *, quoted: bool = True, columns: tuple[str, ...] = ()
) -> Table:
    """The table of a file with delimiters.

    Without `delimiter` that and the quoting are found out from suffix and first rows; with `columns` the
    file has no header line, else the first row is looked at. Raises DataError for a file without rows and,
    when scanned, for a row of another width.
    """
    if not delimiter:
        delimiter, quoted = delimiter_and_quoting(path)
    rows = _first_rows(path, delimiter, quoted)
    if not rows:
        raise DataError(f"{path} is empty: it holds no rows")
    header = () if columns else _header(path, rows)
    notes: tuple[str, ...] = ()
    if not columns and not header:
        columns = tuple(f"column{i}" for i in range(1, len(rows[0]) + 1))
        notes = (f"{path.name} has no header line: columns are called {', '.join(columns)}",)
    names = columns or header

    def scan() -> Iterator[Row]:
        for number, cells in islice(delimited_rows(path, delimiter, quoted), int(bool(header)), None):
            if len(cells) < len(names) or any(cells[len(names) :]):
                rule = "a text with the delimiter in it must stand in double quotes"
                raise DataError(
                    f"{path}, line {number}: {len(cells)} cells where the table has {len(names)} columns; "
                    + (rule if quoted else "tabs inside a text must go")
                )
            yield number, cells[: len(names)]

    stamp = f"{stamp_of(path)}|{delimiter}|{quoted}|{bool(header)}"
    return Table(str(path), names, scan, stamp, notes, identity=str(path.resolve()))


def delimited_rows(
    path: Path, delimiter: str, quoted: bool, strict: bool = True
) -> Iterator[tuple[int, list[str]]]:
    """Rows that are not blank, with the line they start on."""
    csv.field_size_limit(_FIELD_BYTES)
    quoting: Any = csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
    with open_text(path) as stream:
        reader = csv.reader(stream, delimiter=delimiter, quoting=quoting, strict=strict)
        start = 1
        try:
            for cells in reader:
                if cells and not (start == 1 and cells == ["sep=", ""]):  # by which spreadsheets tell theirs
                    yield start, cells
                start = reader.line_num + 1
        except csv.Error as error:
            raise DataError(
                f"{path}, line {start}: {error}; a quotation mark inside a quoted text must be doubled, "
                "and every opened one closed"
            ) from error


def _first_rows(path: Path, delimiter: str, quoted: bool) -> list[list[str]]:
    """Rows to guess from; a wrong guess of the delimiter must not raise for its quotation marks."""
    return [
        cells for _, cells in islice(delimited_rows(path, delimiter, quoted, strict=False), _DIALECT_ROWS)
    ]


def delimiter_and_quoting(path: Path) -> tuple[str, bool]:
    """Of a CSV the delimiter that gives all rows the same number of cells; of a TSV whether cells are quoted.

    Where a TSV has no tab, the delimiters of a CSV are tried. TSV files of benchmarks hold bare quotation marks;
    those written by spreadsheets quote cells. Quoted it is when plain splitting gives ragged rows, or when whole
    columns stand in quotes.
    """
    rows = _first_rows(path, "\t", False)
    named = decompressed(path).suffix.lower() == ".csv"
    if named or {len(cells) for cells in rows} == {1}:
        for delimiter in ",;\t|":
            widths = {len(cells) for cells in _first_rows(path, delimiter, True)}
            if len(widths) == 1 and widths != {1}:
                return delimiter, True
        if named:
            return ",", True
    if len({len(cells) for cells in rows}) != 1:
        return "\t", True
    columns = zip(*(rows[1:] or rows), strict=True)
    return "\t", any(all(len(c) > 1 and c[0] == c[-1] == '"' for c in column) for column in columns)


def _header(path: Path, rows: list[list[str]]) -> tuple[str, ...]:
    """The names in the first row; none when one of them is a number or a value seen below it, or when all are long.

    One long name may be a question that people were asked; texts in all columns are rows. A column without a name
    (the index that data frames write) is called by its place.
    """
    names = [cell.strip() for cell in rows[0]]
    below = {(i, cell.strip()) for cells in rows[1:] for i, cell in enumerate(cells)}
    unlike = (_NUMBER.fullmatch(name) or (i, name) in below for i, name in enumerate(names) if name)
    if all(len(name.split()) > _HEADER_WORDS for name in names if name) or any(unlike):
        return ()
    twice = [name for name in names if name and names.count(name) > 1]
    if twice:
        raise DataError(f"{path}, line 1: the column name {twice[0]!r} occurs twice; rename one")
    return tuple(name or f"column{i}" for i, name in enumerate(names, 1))


def _records_table(path: Path) -> Table:
    """A table from JSON objects; its columns are the keys of the first ones, in order of appearance."""
    first = islice(_records(path), _SAMPLE_ROWS)
    columns = tuple(dict.fromkeys(key for _, record in first for key in record))
    if not columns:
        raise DataError(f"{path} holds no records")

    def scan() -> Iterator[Row]:
        for number, record in _records(path):
            yield number, [record.get(column) for column in columns]

    return Table(str(path), columns, scan, stamp_of(path), identity=str(path.resolve()))


def _records(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The objects of JSON Lines, or of the one list in a `.json` file, with their line or row."""
    with open_text(path) as stream:
        lines = ((number, line) for number, line in enumerate(stream, 1) if line.strip())
        records: Iterator[tuple[int, Any]]
        advice = "; an object must stand whole on its line, a list of them belongs into a .json file"
        records, place = ((n, _json(line, f"{path}, line {n}", advice)) for n, line in lines), "line"
        if decompressed(path).suffix.lower() == ".json":
            content = _json(stream.read(), str(path), "; one object per line belongs into a .jsonl file")
            if not isinstance(content, list):
                raise DataError(f"{path}: a .json file must hold a list of objects, one per row")
            records, place = enumerate(content, 1), "row"
        for number, record in records:
            if not isinstance(record, dict):
                raise DataError(
                    f'{path}, {place} {number}: expected an object such as {{"text": ..., "label": ...}}'
                )
            yield number, record


def _json(text: str, where: str, advice: str = "") -> Any:
    try:
        return json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise DataError(f"{where}: not valid JSON: {error}{advice}") from error


def _parquet_table(path: Path) -> Table:
    def scan() -> Iterator[Row]:
        with _parquet(path) as file:
            batches = (batch.to_pylist() for batch in file.iter_batches(batch_size=_SAMPLE_ROWS))
            for number, record in enumerate(chain.from_iterable(batches), 1):
                yield number, list(record.values())

    with _parquet(path) as file:
        names = tuple(file.schema_arrow.names)
    return Table(str(path), names, scan, stamp_of(path), identity=str(path.resolve()))


@contextmanager
def _parquet(path: Path) -> Iterator[Any]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingExtraError("reading Parquet", "train") from error
    try:
        with pq.ParquetFile(path) as file:
            yield file
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: not a readable Parquet file: {error}") from error
