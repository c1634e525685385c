"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from gradatim.errors import DataError


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file in the folder of `path` that becomes `path` when the block succeeds.

    Whatever goes wrong inside (disk full, Ctrl-C), the temporary file is removed and an older
    file at `path` stays as it was. Raises the `OSError` of the failing call; one without a name bears that of `path`.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with open(part, "xb") as handle:
            yield handle
            handle.flush()
            os.fsync(handle.fileno())
        os.replace(part, path)
    except BaseException as error:
        part.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename is None:
            error.filename = str(path)
        raise


@contextmanager
def output_file(path: Path) -> Iterator[BinaryIO]:
    """`atomic_file` for what a user asked for; raises DataError, which names `path`, where it cannot be written."""
    try:
        with atomic_file(path) as handle:
            yield handle
    except OSError as error:
        raise DataError(f"{path} was not written: {error.strerror or error}") from error
