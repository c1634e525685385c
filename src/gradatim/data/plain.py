"""Plain text from wherever it is: lines of text files, cells of tables, and all of a folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from gradatim.data.annotated import SETS, annotated_files
from gradatim.data.columns import choose_columns
from gradatim.data.source import find_source
from gradatim.data.tables import SUFFIXES
from gradatim.data.textfile import decompressed, encodable, is_plain, open_text
from gradatim.errors import DataError


def plain_texts(source: str, columns: Sequence[str] = ()) -> Iterator[tuple[str, str]]:
    """Where it stands, and text: the lines of a text file with their ends, or the cells of a table, one at a time.

    `source` is a file, a pipe of lines, a folder of files, or a data set's name (of a parallel text both sides);
    `columns` those of a table that hold text (default: the one that looks so). Raises DataError and SourceError.
    """
    path = Path(source).expanduser()
    if path.is_dir():
        files = [item for item in sorted(path.rglob("*")) if item.is_file()]
        files = [item for item in files if decompressed(item).suffix.lower() in SUFFIXES]
        if not files:
            raise DataError(f"{path} holds no file of type {', '.join(SUFFIXES)}")
        for file in files:
            yield from plain_texts(str(file), columns)
    elif path.is_fifo() or (path.is_file() and is_plain(path)):
        with open_text(path) as lines:
            for line in lines:
                yield str(path), line  # with its end: byte-level tokens may hold it
    elif source in SETS and all(map(is_plain, files := annotated_files(source).get("train", []))):
        for file in files:
            yield from plain_texts(str(file))
    else:
        table = find_source(source).tables["train"]
        names: Sequence[str | None] = columns or [None]
        chosen = [choose_columns(table, text=name, labelled=False, pairs=False).text for name in names]
        for number, cells in table.scan():
            place = table.place(number)
            yield from ((table.where, encodable(str(cells[at]), place)) for at in chosen if cells[at])


def line_blocks(
    sources: Sequence[str], columns: Sequence[str] = (), size: int = 1 << 24
) -> Iterator[tuple[str, bytes]]:
    """Where it stands, and whole lines of UTF-8, about `size` bytes at a time; a table's cell is a line or several.

    Raises DataError if no source holds any.
    """
    where = ""
    for source in sources:
        lines, length = list[str](), 0
        for origin, text in plain_texts(source, columns):
            if lines and (origin != where or length >= size):
                yield where, "".join(lines).encode()
                lines, length = [], 0
            where = origin
            lines.append(text if text.endswith("\n") else text + "\n")
            length += len(text)
        if lines:
            yield where, "".join(lines).encode()
    if not where:
        raise DataError(f"{', '.join(sources)} holds no text")
