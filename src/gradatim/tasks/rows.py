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
from gradatim.engine.atomic import output_file
from gradatim.errors import ConfigError, DataError, MissingExtraError
from gradatim.pipelines.calls import InputError
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
            part.write(_said(answered(some), inputs, done))
            part.flush()
            os.fsync(part.fileno())
            done += len(some)
            progress(len(some))
    with output_file(output) as handle:
        write(handle, Answered(inputs.table, kept))
    kept.unlink()
    return done


def _said(answers: Iterable[Any], inputs: Inputs, done: int) -> str:
    """Answers as they are kept, a line each; raises DataError with the line of the row that has none."""
    try:
        return "".join(json.dumps(answer, ensure_ascii=False) + "\n" for answer in answers)
    except InputError as error:
        lines = (line for line, _ in inputs.table.scan())
        line = next(islice(lines, done + error.number, None))
        raise DataError(f"{inputs.table.where}, line {line}: {error.what}") from None


def _begun(kept: Path, head: str, resume: bool) -> int:
    """How many answers are there already; a line that was cut off while it was written goes."""
    content = kept.read_bytes() if kept.exists() else b""
    whole = content[: content.rfind(b"\n") + 1]
    lines = whole.splitlines()
    if len(lines) < 2:
        kept.write_text(head + "\n", encoding="utf-8")
        return 0
    if not resume:
        raise ConfigError(
            f"{kept} holds the answers of a run that was stopped: go on with --resume, or remove it"
        )
    if lines[0].decode("utf-8", "replace") != head:
        raise ConfigError(
            f"{kept} is of another run (model, input or options differ): remove it to start anew"
        )
    if len(whole) < len(content):
        with kept.open("r+b") as part:
            part.truncate(len(whole))
    return len(lines) - 1


@dataclass(frozen=True, slots=True)
class Answered:
    """The rows of a table with the answers that are kept in a file."""

    table: Table
    kept: Path

    def answers(self) -> Iterator[Any]:
        """The answers in the order of the rows."""
        with self.kept.open(encoding="utf-8") as lines:
            next(lines)
            yield from map(json.loads, lines)

    def whole(self) -> Iterator[dict[str, Any]]:
        """Rows with their answers as they are."""
        name = self.own(ANSWER)
        for (_, cells), answer in zip(self.table.scan(), self.answers(), strict=True):
            yield {**dict(zip(self.table.columns, cells, strict=True)), name: answer}

    def flat(self) -> Iterator[dict[str, Any]]:
        """Rows with their answers as columns: one for each value if all answers are single values, else one of JSON."""
        last, names = self.own(ANSWER), self.names()
        for row in self.whole():
            answer = row.pop(last)
            found = single(answer)
            if names is None or found is None:
                yield {
                    **row,
                    last: answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False),
                }
            else:
                yield {**row, **{self.own(name): found.get(name) for name in names}}

    def names(self) -> list[str] | None:
        """What the values of all answers are called; None where one answer is more than single values."""
        names: dict[str, None] = {}
        for answer in self.answers():
            if (found := single(answer)) is None:
                return None
            names |= dict.fromkeys(found)
        return list(names)

    def own(self, name: str) -> str:
        """A column's name that the table does not have."""
        while name in self.table.columns:
            name = f"{ANSWER}_{name}"
        return name


def single(answer: Any) -> dict[str, Any] | None:
    """The values of a dictionary of single ones, or of a list of one such; None of any other answer."""
    inner = answer[0] if isinstance(answer, list) and len(answer) == 1 else answer
    plain = isinstance(inner, Mapping) and not any(
        isinstance(value, list | Mapping) for value in inner.values()
    )
    return dict(inner) if plain else None


def _writer(path: Path) -> Callable[[BinaryIO, Answered], None]:
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


def _write_json_lines(handle: BinaryIO, answered: Answered) -> None:
    for record in answered.whole():
        handle.write((json.dumps(record, ensure_ascii=False, default=str) + "\n").encode("utf-8", "replace"))


def _write_csv(handle: BinaryIO, answered: Answered) -> None:
    records = answered.flat()
    first = next(records, None)
    text = io.TextIOWrapper(handle, "utf-8", errors="replace", newline="", write_through=True)
    writer = csv.DictWriter(text, answered.table.columns if first is None else list(first))
    writer.writeheader()
    writer.writerows([] if first is None else chain([first], records))
    text.detach()


def _write_parquet(handle: BinaryIO, answered: Answered) -> None:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingExtraError("Parquet", "train") from error
    kinds: dict[str, dict[type, Any]] = {name: {} for name in answered.table.columns}
    for record in answered.flat():
        for name, value in record.items():
            kinds.setdefault(name, {}).setdefault(type(value), value)
    types: dict[str, Any] = {}
    for name, found in kinds.items():
        found.pop(type(None), None)
        same = len(found) == 1 or set(found) == {int, float}
        types[name] = pa.infer_type(list(found.values())) if same and dict not in found else pa.string()
    records = (
        {name: _fitting(value, types[name] == pa.string()) for name, value in record.items()}
        for record in answered.flat()
    )
    with pq.ParquetWriter(handle, schema := pa.schema(list(types.items()))) as writer:
        while some := list(islice(records, 10 * BATCH)):
            writer.write_table(pa.Table.from_pylist(some, schema=schema))


def _fitting(value: Any, text: bool) -> Any:
    """A value for its column; in one of text everything is text, as JSON where it was not."""
    written = isinstance(value, str) or value is None or not text
    return value if written else json.dumps(value, ensure_ascii=False, default=str)


def _cell(value: Any) -> str:
    return "" if value is None else str(value)
