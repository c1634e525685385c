"""Sentences with a tag for every word: the columns of the CoNLL shared tasks, CoNLL-U, and tables of two lists."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path

from gradatim.data.columns import find_column
from gradatim.data.literal import read_literal
from gradatim.data.tables import Table, open_table
from gradatim.data.textfile import decompressed, open_text
from gradatim.errors import DataError

DOCUMENT = "-DOCSTART-"
CONLLU_COLUMNS = 10
_TAG = re.compile(r"O|[BIESLU]-.+")
_GAP = re.compile(r"[ \t\r\n]+")
_LANGUAGE = re.compile(r"[a-z]{2,3}:(?=.)")
NAMED = (".conllu", ".conll", ".iob", ".iob2", ".bio", ".bioes")  # suffixes of files that hold nothing else
TABLES = (".jsonl", ".ndjson", ".parquet", ".csv")
WORDS = ("tokens", "words")  # columns of a table that hold lists
TAGS = ("ner_tags", "pos_tags", "tags", "labels", "upos")
SUFFIXES = (*NAMED, *TABLES, ".txt", ".tsv", "")  # of files that may be tagged
_SEEN = 1000  # lines that tell
MOST = 0.5  # of them that must: a tag misspelt is told of by its line


@dataclass(frozen=True, slots=True)
class Sentence:
    """Words, a tag for each (IOB2 where they mark entities), and the number of the document that it stands in."""

    words: tuple[str, ...]
    tags: tuple[str, ...]
    document: int


def read_tagged(path: Path) -> list[Sentence]:
    """The sentences of a CoNLL file: a word a line, its tag in the last column, a blank line after a sentence.

    Tags in IOB1, BIOES or BILOU become IOB2. A line that begins with -DOCSTART- begins a document and is no sentence.
    Where all words of a file begin with the same code of a language ("de:", as in WikiANN), it is left out. Of a
    .conllu file (Universal Dependencies) the tags are the parts of speech, UPOS, of its syntactic words. A table has a
    list of words and one of tags in each row. Raises DataError with file and line for a word without tag and a tag of
    another scheme.
    """
    sentences: list[Sentence] = []
    document = 0
    suffix = decompressed(path).suffix.lower()
    if suffix == ".conllu":
        sentences = list(_conllu(path))
    elif suffix in TABLES:
        sentences = list(_rows(open_table(path)))
    else:
        for rows in _blocks(path):
            if rows[0][0] == DOCUMENT:
                document += 1
            else:
                tags = to_iob2([row[-1] for row in rows])
                sentences.append(Sentence(tuple(row[0] for row in rows), tuple(tags), document))
    if not sentences:
        raise DataError(f"{path} holds no sentences")
    return _without_language(sentences)


def looks_tagged(path: Path) -> bool:
    """Whether a file holds tagged sentences, as far as its name and its first lines tell: a word and a tag on most
    lines between blank ones, not all of them O.
    """
    suffix = decompressed(path).suffix.lower()
    if suffix not in SUFFIXES or suffix in NAMED:
        return suffix in NAMED
    if suffix in TABLES:
        table = open_table(path)
        places, first = _places(table), next((cells for _, cells in table.scan()), None)
        if places is None or first is None:
            return False
        return all(isinstance(read_literal(first[at]), list) for at in places)
    with open_text(path) as stream:
        rows = [_cells(line) for line in islice(stream, _SEEN)]
    words = [cells for cells in rows if cells and cells[0] != DOCUMENT]
    tags = [cells[-1] for cells in words if len(cells) > 1 and is_tag(cells[-1])]
    return len(words) < len(rows) and {*tags} - {"O"} != set() and len(tags) > MOST * len(words)


def is_tag(name: str) -> bool:
    """Whether a name is O, or B-name, I-name and so on."""
    return _TAG.fullmatch(name) is not None


def tag_names(tags: Iterable[str]) -> tuple[str, ...]:
    """The tags in order: of entities O first and those of a kind together."""
    return tuple(sorted({*tags}, key=lambda tag: (tag != "O", tag[2:] if tag[1:2] == "-" else "", tag)))


def to_iob2(tags: Sequence[str]) -> list[str]:
    """Tags in IOB1, IOB2, BIOES or BILOU as IOB2: every entity begins with B-, and all else in it is I- (Tjong Kim Sang
    & Veenstra 1999; Ratinov & Roth 2009).
    """
    return [
        tag if tag == "O" else f"{'I' if _goes_on(before, tag) else 'B'}-{tag[2:]}"
        for before, tag in zip(["O", *tags], tags, strict=False)
    ]


def _goes_on(before: str, tag: str) -> bool:
    """Whether the entity of the word before is not over: its tag would say so, and this one's that it begins."""
    return tag[0] in "IEL" and before[0] in "BI" and before[2:] == tag[2:]


def _without_language(sentences: list[Sentence]) -> list[Sentence]:
    found = [_LANGUAGE.match(word) for sentence in sentences for word in sentence.words]
    if len({match and match[0] for match in found}) != 1 or found[0] is None:
        return sentences
    length = found[0].end()
    return [replace(one, words=tuple(word[length:] for word in one.words)) for one in sentences]


def _places(table: Table) -> tuple[int, int] | None:
    """The columns of words and of tags."""
    words, tags = find_column(table, WORDS), find_column(table, TAGS)
    return None if words is None or tags is None else (words, tags)


def _rows(table: Table) -> Iterator[Sentence]:
    """The sentences of a table: tags mark entities if one of them says so, else they are parts of speech."""
    places = _places(table)
    if places is None:
        raise DataError(f"{table.where} has no lists of words and tags: the columns {WORDS[0]} and {TAGS[0]}")
    rows = [(line, *(read_literal(cells[at]) for at in places)) for line, cells in table.scan()]
    named = {str(tag) for _, _, tags in rows if isinstance(tags, list) for tag in tags}
    entities = any(map(is_tag, named - {"O"}))
    for line, words, tags in rows:
        where = f"{table.where}, line {line}"
        if not (isinstance(words, list) and isinstance(tags, list) and len(words) == len(tags)):
            raise DataError(
                f"{where}: a list of words and one of as many tags belong here, not {words!r:.60}, {tags!r:.60}"
            )
        for word, tag in zip(words, tags, strict=True):
            if not isinstance(tag, str) or _GAP.search(tag):
                raise DataError(
                    f"{where}: the tag {tag!r} of {word!r} is no name without spaces; write names in place of numbers"
                )
            if entities:
                _check([str(word), tag], where)
        if words:
            yield Sentence(tuple(map(str, words)), tuple(to_iob2(tags) if entities else tags), 0)


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
            cells = _cells(line)
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


def _cells(line: str) -> list[str]:
    """Between tabs, where there are any, so that a word may hold a space; else between spaces."""
    if not line.strip():
        return []
    return (
        [cell.strip() for cell in line.strip("\r\n").split("\t")]
        if "\t" in line
        else _GAP.split(line.strip())
    )


def _check(cells: list[str], where: str) -> None:
    if not cells[0]:
        raise DataError(f"{where}: no word stands before the tag {cells[-1]!r}")
    if len(cells) < 2:
        raise DataError(f"{where}: {cells[0]!r} has no tag; write the word, a space or tab, and its tag")
    if not is_tag(cells[-1]):
        raise DataError(
            f"{where}: the tag {cells[-1]!r} of {cells[0]!r} is not O or B-name, I-name and so on "
            "(IOB1, IOB2, BIOES or BILOU)"
        )
