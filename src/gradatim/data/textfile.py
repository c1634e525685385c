"""Text files as they come: gzip, xz, bzip2 or plain; UTF-8, and an exact address for bytes that are not."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gradatim.errors import DataError

_OPENERS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".xz": lzma.open, ".bz2": bz2.open}
_DAMAGE = (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile)


def decompressed(path: Path) -> Path:
    """The path without its compression suffix: `train.csv` for `train.csv.gz`."""
    return path.with_suffix("") if path.suffix.lower() in _OPENERS else path


def is_plain(path: Path) -> bool:
    """Whether a file is lines of text by its name: `.txt`, or a language as parallel texts have it, `.en`."""
    suffix = decompressed(path).suffix.lower()
    return suffix == ".txt" or (len(suffix) == 3 and suffix[1:].isalpha())


@contextmanager
def open_text(path: Path, encoding: str = "utf-8") -> Iterator[io.TextIOWrapper]:
    """A text stream that keeps line ends and skips a byte order mark.

    Raises DataError with byte offset and line where the file is not in `encoding`, and where it is
    damaged, missing or unreadable.
    """
    codec = "utf-8-sig" if encoding == "utf-8" else encoding
    try:
        with open_bytes(path) as raw, io.TextIOWrapper(raw, encoding=codec, newline="") as stream:
            yield stream
    except UnicodeDecodeError as error:
        raise _bad_byte(path) from error


def encodable(text: str, where: str) -> str:
    """The text itself; raises DataError where it holds half a surrogate pair, which JSON can write and UTF-8 cannot."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise DataError(
            f"{where}: the text holds half a surrogate pair (position {error.start}), which is no character"
        ) from error
    return text


def stdin_lines() -> Iterator[str]:
    """The lines of stdin without their ends, and without a byte order mark; raises DataError with the line that is not
    UTF-8.
    """
    for number, raw in enumerate(sys.stdin.buffer, 1):
        try:
            yield raw.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise DataError(
                f"stdin, line {number}: byte {error.start} of the line is not UTF-8; convert the input, "
                "for example with iconv -f latin1 -t utf-8"
            ) from None


@contextmanager
def open_bytes(path: Path) -> Iterator[Any]:
    """The decompressed bytes of a file; raises DataError where it is damaged, missing or unreadable."""
    try:
        with _open_bytes(path) as raw:
            yield raw
    except _DAMAGE as error:
        raise DataError(
            f"{path}: the compressed file is damaged or cut off ({error}); fetch it again"
        ) from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error


def _open_bytes(path: Path) -> Any:
    return _OPENERS.get(path.suffix.lower(), open)(path, "rb")


def _bad_byte(path: Path) -> DataError:
    """The error that names the first byte that is not UTF-8 (of the decompressed content)."""
    offset = 0
    with _open_bytes(path) as stream:
        for number, line in enumerate(stream, 1):  # no character of UTF-8 reaches over a line end
            if offset == 0 and line.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                return DataError(f"{path} is UTF-16, not UTF-8: convert it with `iconv -f UTF-16 -t UTF-8`")
            try:
                line.decode()
            except UnicodeDecodeError as error:
                return DataError(
                    f"{path}, line {number}: byte 0x{line[error.start]:02X} at offset {offset + error.start} "
                    "is not UTF-8; if the file is Windows or Latin-1 text, convert it: "
                    f"iconv -f WINDOWS-1252 -t UTF-8 {path.name} > utf8-{path.name}"
                )
            offset += len(line)
    return DataError(f"{path} changed while it was read")
