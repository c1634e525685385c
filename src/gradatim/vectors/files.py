"""Word vectors from files and to them: GloVe's text, word2vec's text and binary, and a table with its index."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from gradatim.data.textfile import decompressed, open_bytes, open_text
from gradatim.engine.atomic import output_file
from gradatim.errors import DataError
from gradatim.vectors.table import WordVectors

BLOCK = 1 << 16  # rows written together


def load_vectors(path: Path) -> WordVectors:
    """The vectors of a file or a folder; raises DataError with the line at fault.

    A file whose first line is two numbers is word2vec's, binary if it ends in `.bin`; any other is GloVe's text.
    A folder holds a `.npy` table and a `.parquet` or `.txt` list of its words.
    """
    return _from_folder(path) if path.is_dir() else _from_file(path)


def save_vectors(path: Path, vectors: WordVectors) -> None:
    """Write word2vec's text or, as `.bin`, its binary format; whole or not at all.

    Raises DataError for words that such a file cannot hold: empty ones and those with white space.
    """
    if bad := [word for word in vectors.words if not word or any(letter.isspace() for letter in word)]:
        raise DataError(f"empty words and those with white space ({len(bad):,}) fit no such file: {bad[0]!r}")
    with output_file(path) as file:
        file.write(f"{len(vectors)} {vectors.width}\n".encode())
        for start in range(0, len(vectors), BLOCK):
            words, rows = vectors.words[start : start + BLOCK], vectors.table[start : start + BLOCK]
            if path.suffix == ".bin":
                packed = rows.astype("<f4")
                for word, row in zip(words, packed, strict=True):
                    file.write(f"{word} ".encode() + row.tobytes() + b"\n")
            else:
                for word, row in zip(words, rows.tolist(), strict=True):
                    file.write(f"{word} {' '.join(f'{value:.9g}' for value in row)}\n".encode())


def _from_file(path: Path) -> WordVectors:
    with open_bytes(path) as file:
        first = file.readline()
        fields = first.split()
        head = len(fields) == 2 and all(field.isdigit() for field in fields)
        if head and decompressed(path).suffix == ".bin":
            return _binary(path, file, *map(int, fields))
        lines = file.read() if head else first + file.read()
    return _text(path, lines, int(fields[1]) if head else None, int(fields[0]) if head else None)


def _text(path: Path, data: bytes, width: int | None, count: int | None) -> WordVectors:
    """Lines of a word and its numbers; a word may hold spaces, as some of GloVe's do."""
    skipped = 2 if count is not None else 1  # the number of the first line of `data`
    lines = data.split(b"\n")
    if lines and not lines[-1].strip():
        lines.pop()
    if width is None:
        width = len(lines[0].split()) - 1 if lines else 0
    if width < 1:
        raise DataError(f"{path}: no word vectors: the first line must be a word and its numbers")
    words, table = [], np.empty((len(lines), width), dtype=np.float32)
    for number, line in enumerate(lines):
        cells = line.rstrip().rsplit(b" ", width)
        try:
            if len(cells) != width + 1:
                raise ValueError
            words.append(cells[0].decode())
            table[number] = [float(cell) for cell in cells[1:]]
        except UnicodeDecodeError:
            raise DataError(f"{path}, line {number + skipped}: the word is not UTF-8") from None
        except ValueError:
            shown = line[:60].decode(errors="replace")
            raise DataError(
                f"{path}, line {number + skipped}: a word and {width} numbers belong here, not '{shown}'"
            ) from None
    if count is not None and words and all(" " in word for word in words):
        raise DataError(f"{path}: the first line says {width} numbers to a word, every line holds more")
    return _checked(path, words, table, count)


def _binary(path: Path, file: Any, count: int, width: int) -> WordVectors:
    data, at, size = file.read(), 0, 4 * width
    if width < 1 or count > len(data) // size:
        raise DataError(
            f"{path}: the file ends within the {count:,} words of {width:,} numbers that its first line says; "
            "fetch it again"
        )
    words, table = [], np.empty((count, width), dtype=np.float32)
    for number in range(count):
        space = data.find(b" ", at)
        if space < 0 or space + 1 + size > len(data):
            raise DataError(f"{path}: the file ends within word {number + 1} of {count:,}; fetch it again")
        words.append(data[at:space].lstrip(b"\n").decode("utf-8", "replace"))
        at = space + 1 + size
        table[number] = np.frombuffer(data, dtype="<f4", count=width, offset=space + 1)
    if data[at:].strip():
        raise DataError(
            f"{path}: more follows than the {count:,} words of {width:,} numbers of its first line"
        )
    return _checked(path, words, table, count)


def _checked(path: Path, words: list[str], table: Any, count: int | None) -> WordVectors:
    if count is not None and count != len(words):
        raise DataError(f"{path}: the first line says {count:,} words, {len(words):,} follow; fetch it again")
    if len(bad := np.flatnonzero(~np.isfinite(table).all(1))):
        raise DataError(f"{path}: the vector of '{words[int(bad[0])]}' does not hold finite numbers")
    return WordVectors(words, table)


def _from_folder(folder: Path) -> WordVectors:
    tables = sorted(folder.rglob("*.npy"))
    lists = sorted([*folder.rglob("*.parquet"), *folder.rglob("*.txt")])
    if len(tables) != 1 or len(lists) != 1:
        raise DataError(f"{folder} must hold one .npy table and one .parquet or .txt list of its words")
    if lists[0].suffix == ".txt":
        with open_text(lists[0]) as lines:
            words = [line.rstrip("\r\n") for line in lines]
    else:
        words = _column(lists[0])
    try:
        table = np.load(tables[0], allow_pickle=False, mmap_mode="r")
    except (ValueError, EOFError) as error:
        raise DataError(f"{tables[0]} is no table of numbers: {error}") from error
    if table.ndim != 2 or len(table) != len(words):
        raise DataError(f"{tables[0]} has the shape {table.shape}, its list {len(words):,} words")
    if table.dtype.kind != "f":
        raise DataError(f"{tables[0]} holds {table.dtype}, not numbers with fractions")
    return _checked(tables[0], words, table, None)


def _column(path: Path) -> list[str]:
    """The first column of strings."""
    import pyarrow.parquet as parquet

    index = parquet.read_table(path)
    names = zip(index.column_names, index.schema, strict=True)
    name = next((name for name, field in names if str(field.type).endswith("string")), None)
    if name is None:
        raise DataError(f"{path} has no column of words")
    words: list[str] = index[name].to_pylist()
    return words
