"""Where fetched and converted files live, and how a folder gets there whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gradatim.errors import SourceError


def cache_folder() -> Path:
    """The folder for everything fetched: `GRADATIM_CACHE`, else `gradatim` in the user's cache folder."""
    caches = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(os.environ.get("GRADATIM_CACHE") or f"{caches}/gradatim").expanduser()


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """A temporary folder that takes the place of `folder` when the block ends without an error.

    Of two processes that stage the same folder the first to finish wins. Raises SourceError where it
    cannot be written.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as scratch:
            whole = Path(scratch, "whole")  # a temporary folder itself is private, a cache may be shared
            whole.mkdir()
            yield whole
            try:
                whole.rename(folder)
            except OSError:
                if not folder.is_dir():
                    raise
    except OSError as error:
        raise SourceError(
            f"cannot write the cache {folder}: {error.strerror or error}; GRADATIM_CACHE names another place"
        ) from error
