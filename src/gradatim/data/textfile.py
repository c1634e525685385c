"""Text files as they come: gzip, xz, bzip2 or plain; UTF-8, and an exact address for bytes that are not."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from gradatim.errors import DataError

_OPENERS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".xz": lzma.open, ".bz2": bz2.open}
_CHUNK_BYTES = 1 << 20
_DAMAGE = (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile)


def plain_suffix(path: Path) -> str:
    """The suffix that names the format, in lower case: `.csv` for `a.CSV` and `a.csv.gz`."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    while suffixes and suffixes[-1] in _OPENERS:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def plain_stem(path: Path) -> str:
    """The file name without format and compression suffixes: `train` for `train.csv.gz`."""
    name = path.name
    for suffix in reversed(path.suffixes):
        known = suffix.lower() in _OPENERS or suffix.lower() == plain_suffix(path)
        if not known:
            break
        name = name[: -len(suffix)]
    return name


def open_bytes(path: Path) -> IO[bytes]:
    """The decompressed bytes of a file."""
    stream: IO[bytes] = _OPENERS.get(path.suffix.lower(), open)(path, "rb")
    return stream


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
    except _DAMAGE as error:
        raise DataError(
            f"{path}: the compressed file is damaged or cut off ({error}); fetch it again"
        ) from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error


def _bad_byte(path: Path) -> DataError:
    """The error that names the first byte that is not UTF-8 (of the decompressed content)."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    offset, line = 0, 1
    with open_bytes(path) as stream:
        while True:
            chunk = stream.read(_CHUNK_BYTES)
            pending = decoder.getstate()[0]
            data = pending + chunk
            start = offset - len(pending)
            if start == 0 and data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                return DataError(f"{path} is UTF-16, not UTF-8: convert it with `iconv -f UTF-16 -t UTF-8`")
            try:
                decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                at, byte = start + error.start, data[error.start]
                line += data.count(b"\n", 0, error.start)
                return DataError(
                    f"{path}, line {line}: byte 0x{byte:02X} at offset {at} is not UTF-8; "
                    "if the file is Windows or Latin-1 text, convert it: "
                    f"iconv -f WINDOWS-1252 -t UTF-8 {path.name} > utf8-{path.name}"
                )
            line += data.count(b"\n") - pending.count(b"\n")
            offset += len(chunk)
