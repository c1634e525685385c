"""A task over all rows of a file: answers kept as they come, so that a run that was stopped goes on."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO

from gradatim.data.columns import choose_columns
from gradatim.data.tables import Table, open_table
from gradatim.engine.atomic import atomic_file
from gradatim.errors import ConfigError, DataError, MissingExtraError
from gradatim.tasks.table import find_task

BATCH = 256  # rows that are answered, and kept, together
SUFFIXES = (".jsonl", ".csv", ".parquet")
ANSWER = "answer"  # the column of an answer that is no dictionary of single values
ASKED = {
    "question-answering": ("question", "context"),
    "table-question-answering": ("query", "table"),
}  # tasks of two texts by name, and how their columns are called
FILED = "table-question-answering"  # its second column names files, beside the one that is read
BY_HAND = ("multiple-choice", "sentence-similarity")  # tasks whose inputs are more than texts

Row = tuple[Sequence[Any], Mapping[str, Any]]  # the cells of a row, and its answer as columns


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a task is asked about each row of a table."""

    table: Table
    of: Callable[[Sequence[Any]], Any]

    def __iter__(self) -> Iterator[Any]:
        return (self.of(cells) for _, cells in self.table.scan())


def read_inputs(task: str, path: Path, *, text: str | None = None, text_pair: str | None = None) -> Inputs:
    """The rows of a file as inputs of a task; columns are guessed unless they are named.

    Raises ConfigError for a task whose inputs no row can hold.
    """
    name = find_task(task)
    if name in BY_HAND:
        raise ConfigError(f"'{name}' reads more than texts: call gradatim.pipeline('{name}') in Python")
    table = open_table(path)
    keys = ASKED.get(name, ("text", "text_pair"))
    given = [text, text_pair]
    if name in ASKED:
        given = [chosen or key for chosen, key in zip(given, keys, strict=True)]
    paired = given[1] is not None
    columns = choose_columns(table, text=given[0], text_pair=given[1], labelled=False, pairs=paired)
    if not paired or columns.text_pair is None:
        return Inputs(table, lambda cells: _cell(cells[columns.text]))
    first, second = columns.text, columns.text_pair
    folder = path.parent if name == FILED else None  # of the files that the second column names

    def asked(cells: Sequence[Any]) -> dict[str, Any]:
        beside = _cell(cells[second])
        return {keys[0]: _cell(cells[first]), keys[1]: beside if folder is None else folder / beside}

    return Inputs(table, asked)


def answer_rows(
    answered: Callable[[Sequence[Any]], Iterable[Any]],
    inputs: Inputs,
    output: Path,
    *,
    facts: Mapping[str, Any],
    resume: bool = False,
    progress: Callable[[int], None] = lambda _rows: None,
) -> int:
    """Write the table with an answer for each row as CSV, JSON Lines or Parquet, by the suffix of `output`; how many.

    Answers are kept beside it until all are there. `facts` are what must be the same for a stopped run to go on;
    raises ConfigError where they differ, and where a stopped run is there that was not to be resumed.
    """
    write = _writer(output)
    kept = output.with_name(output.name + ".part")
    head = json.dumps({**facts, "input": inputs.table.stamp}, sort_keys=True, default=str)
    done = _begun(kept, head, resume)
    progress(done)
    with kept.open("a", encoding="utf-8") as part:
        rest = islice(inputs, done, None)
        while some := list(islice(rest, BATCH)):
            part.write("".join(json.dumps(answer, ensure_ascii=False) + "\n" for answer in answered(some)))
            part.flush()
            os.fsync(part.fileno())
            done += len(some)
            progress(len(some))
    told = _as_it_is if output.suffix.lower() == SUFFIXES[0] else _columns_of(kept)
    rows = (
        (cells, told(answer)) for (_, cells), answer in zip(inputs.table.scan(), _kept(kept), strict=True)
    )
    try:
        with atomic_file(output) as handle:
            write(handle, inputs.table.columns, rows)
    except OSError as error:
        raise DataError(f"{output} was not written: {error.strerror or error}") from error
    kept.unlink()
    return done


def _begun(kept: Path, head: str, resume: bool) -> int:
    """How many answers are there already; a line that was cut off while it was written goes."""
    if not kept.exists():
        kept.write_text(head + "\n", encoding="utf-8")
        return 0
    if not resume:
        raise ConfigError(
            f"{kept} holds the answers of a run that was stopped: go on with --resume, or remove it"
        )
    content = kept.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    lines = whole.splitlines()
    if not lines or lines[0].decode("utf-8", "replace") != head:
        raise ConfigError(
            f"{kept} is of another run (model, input or options differ): remove it to start anew"
        )
    if len(whole) < len(content):
        with kept.open("r+b") as part:
            part.truncate(len(whole))
    return len(lines) - 1


def _kept(path: Path) -> Iterator[Any]:
    with path.open(encoding="utf-8") as lines:
        next(lines)
        yield from map(json.loads, lines)


def flat(answer: Any) -> dict[str, Any]:
    """An answer as columns: its values, if it is a dictionary of single ones or a list of one such, else as JSON."""
    inner = answer[0] if isinstance(answer, list) and len(answer) == 1 else answer
    if isinstance(inner, Mapping) and not any(isinstance(value, list | Mapping) for value in inner.values()):
        return dict(inner)
    return _as_json(inner if isinstance(inner, str) else answer)


def _as_json(answer: Any) -> dict[str, Any]:
    return {ANSWER: answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)}


def _as_it_is(answer: Any) -> dict[str, Any]:
    return {ANSWER: answer}


def _columns_of(kept: Path) -> Callable[[Any], dict[str, Any]]:
    """How answers become columns: `flat` where all get the same ones, else as JSON, so that none is lost."""
    return flat if len({tuple(flat(answer)) for answer in _kept(kept)}) == 1 else _as_json


def _writer(path: Path) -> Callable[[BinaryIO, Sequence[str], Iterator[Row]], None]:
    match path.suffix.lower():
        case ".jsonl":
            return _write_json_lines
        case ".csv":
            return _write_csv
        case ".parquet":
            return _write_parquet
        case other:
            raise ConfigError(
                f"{path}: cannot write {other or 'a file without suffix'}; use {', '.join(SUFFIXES)}"
            )


def _write_json_lines(handle: BinaryIO, columns: Sequence[str], rows: Iterator[Row]) -> None:
    for record in _records(columns, rows):
        handle.write((json.dumps(record, ensure_ascii=False, default=str) + "\n").encode("utf-8", "replace"))


def _records(columns: Sequence[str], rows: Iterator[Row]) -> Iterator[dict[str, Any]]:
    """Rows with their answers; a column that the table has already is called by the answer's name behind it."""
    for cells, found in rows:
        own = {f"{ANSWER}_{name}" if name in columns else name: value for name, value in found.items()}
        yield {**dict(zip(columns, cells, strict=True)), **own}


def _write_csv(handle: BinaryIO, columns: Sequence[str], rows: Iterator[Row]) -> None:
    records = _records(columns, rows)
    first = next(records, None)
    text = io.TextIOWrapper(handle, "utf-8", errors="replace", newline="", write_through=True)
    writer = csv.DictWriter(text, columns if first is None else list(first))
    writer.writeheader()
    writer.writerows(records if first is None else chain([first], records))
    text.detach()


def _write_parquet(handle: BinaryIO, columns: Sequence[str], rows: Iterator[Row]) -> None:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingExtraError("Parquet", "train") from error
    records, writer = _records(columns, rows), None
    while some := list(islice(records, 10 * BATCH)):
        table = pa.Table.from_pylist(some, schema=None if writer is None else writer.schema)
        if writer is None:
            writer = pq.ParquetWriter(handle, table.schema)
        writer.write_table(table)
    if writer is None:
        writer = pq.ParquetWriter(handle, pa.schema([(name, pa.string()) for name in columns]))
    writer.close()


def _cell(value: Any) -> str:
    return "" if value is None else str(value)
