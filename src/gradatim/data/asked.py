"""Questions about tables with their answers, as WikiTableQuestions has them (Pasupat & Liang 2015)."""

from __future__ import annotations

import csv
import io
import tarfile
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain
from pathlib import Path

from gradatim.data.divided import Form, one_split
from gradatim.data.grids import TableQuestion
from gradatim.data.source import PathLike
from gradatim.data.splits import content_key
from gradatim.data.tables import delimited_table
from gradatim.data.textfile import open_bytes, open_text
from gradatim.errors import DataError
from gradatim.types import Grid

COLUMNS = ("utterance", "context", "targetValue")
TABLES = "csv.tar.gz"  # beside the questions, where the tables are no files of their own
_ESCAPES = {"n": "\n", "p": "|", "\\": "\\"}


def read_table_questions(path: Path) -> list[TableQuestion]:
    """The questions of a TSV with the columns utterance, context (a CSV file beside it) and targetValue.

    A table that many questions are about is read once. Raises DataError, naming the line, for a question without a
    table, and for a table whose rows are not of one width.
    """
    asked = delimited_table(path, "\t", quoted=False)
    if missing := [name for name in COLUMNS if name not in asked.columns]:
        raise DataError(
            f"{path} has no column {missing[0]!r}; questions about tables have {', '.join(COLUMNS)}"
        )
    places = [asked.columns.index(name) for name in COLUMNS]
    grids: dict[str, Grid] = {}
    found = []
    for line, cells in asked.scan():
        question, context, answers = (cells[at] for at in places)
        if context not in grids:
            grids[context] = _grid(path.parent, context, f"{path}, line {line}")
        values = tuple(_unescaped(value) for value in answers.split("|"))
        found.append(TableQuestion(_unescaped(question), grids[context], values))
    return found


def _tables(questions: Sequence[TableQuestion]) -> list[bytes]:
    return [content_key("\n".join(chain(one.grid.columns, *one.grid.rows)), None) for one in questions]


ASKED = Form(
    read_table_questions,
    (".tsv",),
    "questions",
    "tables of questions",
    _tables,
    lambda questions: (_tables(questions), "those on one table"),
)


def load_table_questions(
    source: PathLike, split: str = "test"
) -> tuple[list[TableQuestion], tuple[str, ...]]:
    """Questions to evaluate a model on, and a note on which: as `load_examples` chooses."""
    questions, note = one_split(source, ASKED, split)
    return questions, (note,)


def _grid(folder: Path, name: str, where: str) -> Grid:
    file, tables = folder / name, folder / TABLES
    if file.is_file():
        with open_text(file) as stream:
            text = stream.read()
    elif not tables.is_file() or name not in _members(tables):
        raise DataError(f"{where}: the table {name} is neither beside the questions nor in {tables}")
    else:
        text = _members(tables)[name]
    rows = list(csv.reader(io.StringIO(text, newline=""), doublequote=False, escapechar="\\"))
    if len(rows) < 2:
        raise DataError(f"{where}: the table {name} has no rows below its header")
    for number, row in enumerate(rows, 1):
        if len(row) != len(rows[0]):
            raise DataError(f"{name}, row {number}: {len(row)} cells where the header has {len(rows[0])}")
    return Grid.of(rows[0], rows[1:])


@lru_cache(maxsize=1)
def _members(path: Path) -> dict[str, str]:
    """The texts of the CSV files in an archive."""
    return dict(_texts(path))


def _texts(path: Path) -> Iterator[tuple[str, str]]:
    with open_bytes(path) as raw, tarfile.open(fileobj=raw) as archive:
        for member in archive:
            content = archive.extractfile(member) if member.name.endswith(".csv") else None
            if content is not None:
                yield member.name, _decoded(content.read(), f"{path}: {member.name}")


def _decoded(content: bytes, where: str) -> str:
    """The text of an archive's member, as `open_text` reads a file."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{where}: byte 0x{content[error.start]:02X} at offset {error.start} is not UTF-8; convert the file"
        ) from error


def _unescaped(text: str) -> str:
    parts = iter(text)
    return "".join(_ESCAPES.get(after := next(parts, ""), after) if one == "\\" else one for one in parts)
