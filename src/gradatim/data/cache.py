"""Where fetched and converted files live, and how a folder gets there whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gradatim.errors import SourceError


def cache_folder() -> Path:
    """The folder for everything fetched: `GRADATIM_CACHE`, else `gradatim` in the user's cache folder."""
    named = os.environ.get("GRADATIM_CACHE")
    if named:
        return Path(named).expanduser()
    if os.name == "nt":
        base = os.environ.get("LOCALAPPDATA") or "~/AppData/Local"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "gradatim"


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """A temporary folder beside `folder` that takes its place when the block ends without an error.

    Two processes may stage the same folder at once: the first to finish wins, the other's copy is dropped.
    Raises SourceError where it cannot be written.
    """
    workplace = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        workplace = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        yield workplace
        workplace.chmod(0o755)  # a cache may be shared; temporary folders are private
        try:
            workplace.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
    except OSError as error:
        raise SourceError(
            f"cannot write the cache {folder}: {error.strerror or error}; GRADATIM_CACHE names another place"
        ) from error
    finally:
        if workplace:
            shutil.rmtree(workplace, ignore_errors=True)
