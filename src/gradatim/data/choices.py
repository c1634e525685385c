"""Questions with several answers to choose from: DREAM, SWAG and plain tables read alike."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gradatim.data.annotated import read_json
from gradatim.data.columns import find_column, plain_name
from gradatim.data.literal import read_literal
from gradatim.data.tables import Table, open_table
from gradatim.data.textfile import decompressed, open_text
from gradatim.errors import DataError

TABLES = (".csv", ".tsv", ".tab", ".jsonl", ".ndjson", ".parquet")
SUFFIXES = (".json", *TABLES)
# Columns of a table, of the second kind those of SWAG.
CONTEXT, QUESTION = (("context", "sent1"), ("question", "sent2"))
OFFERED, ANSWER = ("choices", "options", "choice"), ("answer", "label")
ENDING = re.compile(r"(?:ending|choice|option)(\d+|[a-j])")  # a plain name
_DREAM = re.compile(r'\s*\[\s*\[\s*\[\s*"')


@dataclass(frozen=True, slots=True)
class Choices:
    """A question on a context, the answers offered, and which of them (from 0) is right."""

    context: str
    question: str
    choices: tuple[str, ...]
    answer: int


def read_choices(path: Path) -> list[Choices]:
    """The questions of a JSON file as DREAM has it, a list of [turns, [{question, choice, answer}, ...], id], or of a
    table with the columns context, question (one of them is enough), choices (a list, or a column of its own for each,
    as SWAG has it) and answer: one of these, its number from 0, or its letter from A.

    The turns of a dialogue become the lines of the context. Raises DataError with file and item for what
    is not so written and for an answer that is not among the choices.
    """
    if decompressed(path).suffix.lower() in TABLES:
        found = list(_rows(open_table(path)))
    else:
        found = list(_dream(path))
    if not found:
        raise DataError(f"{path} holds no questions")
    return found


def looks_chosen(path: Path) -> bool:
    """Whether a file holds such questions, as far as the beginning of its JSON or the names of its columns tell."""
    suffix = decompressed(path).suffix.lower()
    if suffix == ".json":
        with open_text(path) as stream:
            return _DREAM.match(stream.read(1 << 10)) is not None
    if suffix not in TABLES:
        return False
    table = open_table(path)
    sides = (CONTEXT + QUESTION, ANSWER)
    return bool(_offered(table)) and None not in [find_column(table, names) for names in sides]


def asked_of(table: Table) -> Callable[[Sequence[Any]], tuple[str, str, tuple[str, ...]]]:
    """What makes context, question and choices of the cells of a row; raises DataError for a table without them."""
    offered, question = _offered(table), find_column(table, QUESTION)
    context = find_column(table, CONTEXT)
    if context is None:
        context, question = question, None
    if context is None or not offered:
        raise DataError(
            f"{table.where} has no context and choices: they stand in the columns {CONTEXT[0]} and {OFFERED[0]}, "
            "the latter a list, or in ending0, ending1 and so on"
        )

    def asked(cells: Sequence[Any]) -> tuple[str, str, tuple[str, ...]]:
        choices = [cells[at] for at in offered]
        if len(offered) == 1:
            choices = _listed(choices[0])
        while choices and choices[-1] in (None, ""):  # one between others stays: numbers count it
            choices.pop()
        asks = "" if question is None else cells[question]
        texts = tuple("" if choice is None else str(choice) for choice in choices)
        return str(cells[context] or ""), str(asks or ""), texts

    return asked


def _rows(table: Table) -> Iterator[Choices]:
    asked, answer = asked_of(table), find_column(table, ANSWER)
    if answer is None:
        raise DataError(f"{table.where} has no column {ANSWER[0]!r} that says which choice is right")
    for line, cells in table.scan():
        context, question, choices = asked(cells)
        where = f"{table.where}, line {line}"
        if len(choices) < 2:
            raise DataError(f"{where}: there must be two choices at least, not {list(choices)}")
        if "" in choices:
            raise DataError(f"{where}: choice {choices.index('')} (from 0) of {list(choices)} is empty")
        yield Choices(context, question, choices, _right(cells[answer], choices, where))


def _dream(path: Path) -> Iterator[Choices]:
    for number, item in enumerate(read_json(path), 1):
        where = f"{path}, item {number}"
        try:
            turns, rows = item[0], item[1]
            for row in rows:
                choices = tuple(row["choice"])
                if row["answer"] not in choices:
                    raise DataError(f"{where}: the answer {row['answer']!r} is none of {list(choices)}")
                answer = choices.index(row["answer"])
                yield Choices("\n".join(turns), row["question"], choices, answer)
        except (KeyError, TypeError, IndexError) as error:
            raise DataError(
                f"{where} is not [turns, [{{question, choice, answer}}, ...], id] "
                f"({type(error).__name__}: {error})"
            ) from error


def _offered(table: Table) -> list[int]:
    """The column that lists the choices, or those that hold one each, in the order of their numbers or letters."""
    whole = find_column(table, OFFERED)
    if whole is not None:
        return [whole]
    found = {
        at: match[1] for at, name in enumerate(table.columns) if (match := ENDING.fullmatch(plain_name(name)))
    }
    return sorted(found, key=lambda at: (len(found[at]), found[at]))


def _listed(cell: Any) -> list[Any]:
    """A list, perhaps written out as text."""
    found = read_literal(cell)
    return list(found) if isinstance(found, list) else []


def _right(cell: Any, choices: Sequence[str], where: str) -> int:
    """The number of the right choice, which is told by its text, by that number, or by a letter."""
    if cell in choices:
        return choices.index(cell)
    called = {name: at for at in range(len(choices)) for name in (str(at), f"{at}.0", chr(ord("A") + at))}
    number = called.get(str(cell).strip())
    if number is None:
        raise DataError(
            f"{where}: the answer {cell!r} is none of {list(choices)}, nor the number of one from 0 or its letter"
        )
    return number
