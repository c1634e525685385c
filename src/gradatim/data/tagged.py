"""Sentences with a tag for every word, in the column format of the CoNLL shared tasks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from gradatim.data.textfile import open_text
from gradatim.errors import DataError

DOCUMENT = "-DOCSTART-"
_TAG = re.compile(r"O|[BI]-.+")


@dataclass(frozen=True, slots=True)
class Sentence:
    """Words, a tag in IOB2 for each, and the number of the document that it stands in."""

    words: tuple[str, ...]
    tags: tuple[str, ...]
    document: int


def read_tagged(path: Path) -> list[Sentence]:
    """The sentences of a CoNLL file: a word a line, its tag in the last column, a blank line after a sentence.

    Tags in IOB1 become IOB2. A line that begins with -DOCSTART- begins a document and is no sentence.
    Raises DataError with file and line for a word without tag and a tag that is not O, B-... or I-...
    """
    sentences, document = [], 0
    for rows in _blocks(path):
        if rows[0][0] == DOCUMENT:
            document += 1
        else:
            tags = to_iob2([row[-1] for row in rows])
            sentences.append(Sentence(tuple(row[0] for row in rows), tuple(tags), document))
    if not sentences:
        raise DataError(f"{path} holds no sentences")
    return sentences


def to_iob2(tags: Sequence[str]) -> list[str]:
    """Tags in IOB1 or IOB2 as IOB2: every entity begins with B- (Tjong Kim Sang & Veenstra 1999)."""
    return [
        f"B-{tag[2:]}" if tag[:2] == "I-" and before[2:] != tag[2:] else tag
        for before, tag in zip(["O", *tags], tags, strict=False)
    ]


def _blocks(path: Path) -> Iterator[list[list[str]]]:
    """The columns of the lines between blank ones; a document's first line is a block of its own."""
    rows: list[list[str]] = []
    with open_text(path) as stream:
        for number, line in enumerate(stream, 1):
            cells = line.split()
            if rows and (not cells or DOCUMENT in (cells[0], rows[0][0])):
                yield rows
                rows = []
            if not cells:
                continue
            if cells[0] != DOCUMENT:
                _check(cells, f"{path}, line {number}")
            rows.append(cells)
    if rows:
        yield rows


def _check(cells: list[str], where: str) -> None:
    if len(cells) < 2:
        raise DataError(f"{where}: {cells[0]!r} has no tag; write the word, a space or tab, and its tag")
    if not _TAG.fullmatch(cells[-1]):
        raise DataError(
            f"{where}: the tag {cells[-1]!r} of {cells[0]!r} is not O, B-name or I-name (IOB1 or IOB2)"
        )
