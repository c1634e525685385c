"""Sets that are more than labelled texts: the files that a path or a name stands for, and JSON read from them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gradatim.data.named import data_root, rows_of
from gradatim.data.textfile import open_text
from gradatim.errors import DataError, did_you_mean

SETS: Mapping[str, Mapping[str, list[str]]] = rows_of("annotated.toml")


def annotated_files(source: str) -> dict[str, list[Path]]:
    """The files of every split: of a path itself as "train", of a name under `GRADATIM_DATA` those it has.

    "name/split" is that split alone, as "train". Raises DataError with the nearest name.
    """
    path = Path(source).expanduser()
    if path.is_file():
        return {"train": [path]}
    name, _, split = source.rpartition("/")
    if source not in SETS and split in SETS.get(name, {}):
        files: Mapping[str, list[str]] = {"train": SETS[name][split]}
    elif source in SETS:
        files = SETS[source]
    else:
        raise DataError(
            f"{source!r} is neither a file nor a known set{did_you_mean(source, SETS)}; known: {', '.join(SETS)}"
        )
    root = data_root()
    if root is None:
        raise DataError(f"{source!r} is read from the folder GRADATIM_DATA, which is not set")
    found = {split: [root / file for file in several] for split, several in files.items()}
    for file in (file for several in found.values() for file in several if not file.is_file()):
        raise DataError(
            f"no such file: {file}; GRADATIM_DATA must point at the folder with the benchmark data"
        )
    return found


def read_json(path: Path) -> Any:
    """The content of a JSON file, compressed or not; raises DataError naming line and column where it is none."""
    with open_text(path) as stream:
        try:
            return json.load(stream)
        except (json.JSONDecodeError, RecursionError) as error:
            raise DataError(f"{path}: not valid JSON: {error}") from error
