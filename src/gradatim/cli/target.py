"""A file to write: said to be impossible before the work, not after."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gradatim.errors import ConfigError, DataError


def check_target(path: Path, suffixes: Sequence[str] = ()) -> None:
    """Raises ConfigError for a suffix that is none of these and for a folder that has one, DataError where there is no
    folder to write into.
    """
    if suffixes and path.suffix not in suffixes:
        raise ConfigError(f"{path}: what is written must be {' or '.join(suffixes)}")
    if suffixes and path.is_dir():
        raise ConfigError(f"{path} is a folder: name a file to write")
    if not path.parent.is_dir():
        raise DataError(f"no such folder: {path.parent}")
