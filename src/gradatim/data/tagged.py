"""Sentences with a tag for every word: the columns of the CoNLL shared tasks, and CoNLL-U."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from gradatim.data.textfile import decompressed, open_text
from gradatim.errors import DataError

DOCUMENT = "-DOCSTART-"
CONLLU_COLUMNS = 10
_TAG = re.compile(r"O|[BI]-.+")


@dataclass(frozen=True, slots=True)
class Sentence:
    """Words, a tag for each (IOB2 where they mark entities), and the number of the document that it stands in."""

    words: tuple[str, ...]
    tags: tuple[str, ...]
    document: int


def read_tagged(path: Path) -> list[Sentence]:
    """The sentences of a CoNLL file: a word a line, its tag in the last column, a blank line after a sentence.

    Tags in IOB1 become IOB2. A line that begins with -DOCSTART- begins a document and is no sentence. Of a .conllu
    file (Universal Dependencies) the tags are the parts of speech, UPOS, of its syntactic words. Raises DataError
    with file and line for a word without tag and a tag that is not O, B-... or I-...
    """
    sentences: list[Sentence] = []
    document = 0
    if decompressed(path).suffix.lower() == ".conllu":
        sentences = list(_conllu(path))
    else:
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


def _conllu(path: Path) -> Iterator[Sentence]:
    """Words and UPOS: columns 2 and 4 of the ten between tabs; words that only stand for others (1-2, 1.1) left out."""
    rows: list[list[str]] = []
    document = 0
    with open_text(path) as stream:
        for number, line in enumerate(chain(stream, [""]), 1):
            cells = line.rstrip("\n").split("\t")
            if line.startswith("# newdoc"):
                document += 1
            elif not line.strip() and rows:
                yield Sentence(tuple(row[1] for row in rows), tuple(row[3] for row in rows), document)
                rows = []
            elif line.strip() and not line.startswith("#"):
                if len(cells) != CONLLU_COLUMNS or not all(cells[1:4]):
                    raise DataError(
                        f"{path}, line {number}: not {CONLLU_COLUMNS} columns between tabs, as CoNLL-U has them"
                    )
                if cells[0].isdecimal():
                    rows.append(cells)


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
