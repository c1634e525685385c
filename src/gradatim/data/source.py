"""From what a user names to tables: paths, folders, catalog names, `GRADATIM_DATA` names, hub data sets."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gradatim.data import catalog, hub
from gradatim.data.named import NAMED, data_root, named_key, named_tables
from gradatim.data.tables import SUFFIXES, Table, concatenated, open_table
from gradatim.data.textfile import decompressed
from gradatim.errors import DataError, did_you_mean

PathLike = str | os.PathLike[str]
_SPLITS = {
    "train": "train", "training": "train", "dev": "dev", "valid": "dev", "validation": "dev", "val": "dev",
    "test": "test",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Source:
    """Tables per split (`train` alone when there is one table), whose they are, and what was decided."""

    name: str
    tables: Mapping[str, Table]
    licence: str = "not stated"
    citation: str = ""
    notes: tuple[str, ...] = ()


def find_source(source: PathLike, *, dev: PathLike | None = None, test: PathLike | None = None) -> Source:
    """What `source` names, looked for in this order:

    1. an existing file or folder; 2. a name of the catalog; 3. a name under `GRADATIM_DATA`, where that is
    set; 4. a data set id of the hub, `name`, `owner/name` or `owner/name:config`. What looks like a path
    (a known suffix, a leading `.`, `~` or `/`) is only looked for as a path. `dev` and `test` are files that
    add or replace those splits. Raises DataError that says where it was looked for and the nearest name.
    """
    found = _path(source) or _named(os.fspath(source))
    given = {"dev": dev, "test": test}
    extra = {split: open_table(Path(path).expanduser()) for split, path in given.items() if path is not None}
    return replace(found, tables={**found.tables, **extra})


def _path(source: PathLike) -> Source | None:
    """The file or folder of that name, None where the name may stand for something else."""
    name = os.fspath(source)
    path = Path(name).expanduser()
    bare = decompressed(path)
    if path.is_dir():
        return Source(path.resolve().name, _folder(path), notes=_shadowed(name, path))
    if path.is_file():
        return Source(bare.stem, {"train": open_table(path)}, notes=_shadowed(name, path))
    if path.exists():
        raise DataError(
            f"{name} is neither a file nor a folder: write what it gives to a file, which is read again"
        )
    if isinstance(source, os.PathLike) or name.startswith((".", "~", "/")) or bare.suffix.lower() in SUFFIXES:
        siblings = [item.name for item in path.parent.iterdir()] if path.parent.is_dir() else []
        raise DataError(f"no such file or folder: {name}{did_you_mean(path.name, siblings)}")
    return None


def split_files(folder: Path, suffixes: Sequence[str] = SUFFIXES) -> dict[str, list[Path]]:
    """The files of a folder by split: train, dev (also valid, validation, val) and test, in shards or not."""
    parts: dict[str, list[Path]] = {}
    there = sorted(folder.iterdir())
    for path in there:
        bare = decompressed(path)
        name, *shard = re.split(r"(-\d+-of-\d+)$", bare.stem.lower())
        if name not in _SPLITS or bare.suffix.lower() not in suffixes:
            continue
        files = parts.setdefault(_SPLITS[name], [])
        if files and not shard:
            raise DataError(
                f"{folder}: {files[0].name} and {path.name} are both the {_SPLITS[name]} split; keep one"
            )
        files.append(path)
    if "train" not in parts:
        names = ", ".join(path.name for path in there[:8]) or "nothing"
        raise DataError(f"{folder} has no file train.csv (or .tsv, .jsonl, .parquet); it holds: {names}")
    return parts


def _folder(folder: Path) -> dict[str, Table]:
    """The tables of such a folder."""
    return {
        split: concatenated([open_table(path) for path in files])
        for split, files in split_files(folder).items()
    }


def _shadowed(name: str, path: Path) -> tuple[str, ...]:
    """A note where a path bears the name of a data set that could have been meant."""
    in_catalog = name in catalog.entries()
    if not in_catalog and not (named_key(name) and data_root()):
        return ()
    place = "the catalog" if in_catalog else "GRADATIM_DATA"
    return (f"{path.resolve()} is read, not {name!r} of {place}: run from another folder to get that",)


def _named(name: str) -> Source:
    if name in catalog.entries():
        entry = catalog.entries()[name]
        if entry.table is None:
            raise DataError(f"{name!r} is a {entry.kind}, not a data set")
        tables = named_tables(catalog.fetch(name), {"train": next(iter(entry.files))}, entry.table)
        return Source(name, tables, entry.licence, entry.citation)
    key, root = named_key(name), data_root()
    if key and root:
        row = NAMED[key]
        return Source(key, named_tables(root, row.files, row.table), row.licence, row.citation)
    is_id = hub.looks_like_id(name.partition(":")[0])
    if is_id and hub.reachable():
        return _hub_dataset(name)
    data_sets = [entry.name for entry in catalog.entries().values() if entry.table]
    looked = ["files and folders here", f"the catalog ({', '.join(data_sets)})"]
    if root:
        looked.append(f"GRADATIM_DATA ({', '.join(NAMED)})")
    elif key:
        looked.append(f"GRADATIM_DATA (not set; it must point at the folder with {key!r})")
    looked.append("the hub (cannot be reached)" if is_id else "hub ids (it has not the form of one)")
    near = did_you_mean(name, [*data_sets, *NAMED]) if key != name else ""
    raise DataError(f"no data set {name!r}; looked for it among {'; '.join(looked)}{near}")


def _hub_dataset(name: str) -> Source:
    given = hub.dataset(name)
    tables = {
        _SPLITS[split]: _hub_table(f"{name} ({split})", given[split]) for split in given if split in _SPLITS
    }
    if "train" not in tables:
        raise DataError(f"data set {name!r} of the hub has no train split; it has: {', '.join(given)}")
    info = next(iter(given.values())).info
    return Source(name, tables, info.license or "not stated", info.citation or "")


def _hub_table(where: str, data: Any) -> Table:
    """A split of a hub data set; class ids become names (-1, a hidden label, becomes none)."""
    inner = {name: getattr(feature, "feature", feature) for name, feature in data.features.items()}
    classes = {name: kind.names for name, kind in inner.items() if hasattr(kind, "int2str")}
    names = {column: dict(zip(stated, stated, strict=True)) for column, stated in classes.items()}

    def named(row: Mapping[str, Any]) -> list[Any]:
        return [_class_name(cell, classes.get(column)) for column, cell in row.items()]

    table = Table(where, tuple(data.column_names), lambda: enumerate(data, 1), f"{where}|{data._fingerprint}")
    return replace(table.mapped(named), names=names)


def _class_name(cell: Any, names: list[str] | None) -> Any:
    if names is None or cell is None:
        return cell
    if isinstance(cell, list):
        return [_class_name(part, names) for part in cell]
    return names[cell] if cell >= 0 else None
