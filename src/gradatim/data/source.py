"""From what a user names to tables: paths, folders, catalog names, `GRADATIM_DATA` names, hub data sets."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gradatim.data import catalog, hub
from gradatim.data.labels import polarity
from gradatim.data.named import NAMED, data_root, named_key
from gradatim.data.tables import SUFFIXES, Table, concatenated, delimited_table, open_table
from gradatim.data.textfile import decompressed
from gradatim.errors import DataError, did_you_mean

PathLike = str | os.PathLike[str]
_SPLITS = {
    "train": "train", "training": "train", "dev": "dev", "valid": "dev", "validation": "dev", "val": "dev",
    "test": "test",
}  # fmt: skip
_SPLIT_FILE = re.compile(rf"({'|'.join(_SPLITS)})(-\d+-of-\d+)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Source:
    """Tables per split (`train` alone when there is one table) and whose they are."""

    name: str
    tables: Mapping[str, Table]
    licence: str = "not stated"
    citation: str = ""


def find_source(source: PathLike, *, dev: PathLike | None = None, test: PathLike | None = None) -> Source:
    """What `source` names, looked for in this order:

    1. an existing file or folder; 2. a name of the catalog; 3. a name under `GRADATIM_DATA`, where that is
    set; 4. a data set id of the hub, `name`, `owner/name` or `owner/name:config`. What looks like a path
    (a known suffix, a leading `.`, `~` or `/`) is only looked for as a path. `dev` and `test` are files that
    add or replace those splits. Raises DataError that says where it was looked for and the nearest name.
    """
    found = _find(source)
    given = {"dev": dev, "test": test}
    extra = {split: open_table(Path(path).expanduser()) for split, path in given.items() if path is not None}
    return replace(found, tables={**found.tables, **extra})


def _find(source: PathLike) -> Source:
    name = os.fspath(source)
    path = Path(name).expanduser()
    bare = decompressed(path)
    if path.is_dir():
        return _folder(path)
    if path.is_file():
        return Source(bare.stem, {"train": open_table(path)})
    if isinstance(source, os.PathLike) or name.startswith((".", "~", "/")) or bare.suffix.lower() in SUFFIXES:
        siblings = [item.name for item in path.parent.iterdir()] if path.parent.is_dir() else []
        raise DataError(f"no such file or folder: {name}{did_you_mean(path.name, siblings)}")
    if name in catalog.entries():
        return _catalogued(catalog.find(name))
    key, root = named_key(name), data_root()
    if key and root:
        named = NAMED[key]
        return Source(key, named.tables(root), named.licence, named.citation)
    if hub.looks_like_id(name.partition(":")[0]) and hub.reachable():
        return _hub_dataset(name)
    raise DataError(_not_found(name, key, root))


def _not_found(name: str, key: str | None, root: Path | None) -> str:
    data_sets = [entry.name for entry in catalog.entries().values() if entry.table]
    looked = ["files and folders here", f"the catalog ({', '.join(data_sets)})"]
    if root:
        looked.append(f"GRADATIM_DATA ({', '.join(NAMED)})")
    elif key:
        looked.append(f"GRADATIM_DATA (not set; it must point at the folder with {key!r})")
    is_id = hub.looks_like_id(name.partition(":")[0])
    looked.append("the hub (cannot be reached)" if is_id else "hub ids (it has not the form of one)")
    near = did_you_mean(name, [*data_sets, *NAMED]) if key != name else ""
    return f"no data set {name!r}; looked for it among {'; '.join(looked)}{near}"


def _folder(folder: Path) -> Source:
    """A folder with files train, dev | valid | validation | val and test, in shards or not."""
    parts: dict[str, list[Path]] = {}
    there = sorted(folder.iterdir())
    for path in there:
        bare = decompressed(path)
        match = _SPLIT_FILE.fullmatch(bare.stem)
        if match and path.is_file() and bare.suffix.lower() in SUFFIXES:
            split = _SPLITS[match[1].lower()]
            parts.setdefault(split, []).append(path)
            if len(parts[split]) > 1 and not match[2]:
                raise DataError(
                    f"{folder}: {parts[split][0].name} and {path.name} are both the {split} split; keep one"
                )
    if "train" not in parts:
        names = ", ".join(path.name for path in there[:8]) or "nothing"
        raise DataError(f"{folder} has no file train.csv (or .tsv, .jsonl, .parquet); it holds: {names}")
    tables = {split: concatenated([open_table(path) for path in paths]) for split, paths in parts.items()}
    return Source(folder.resolve().name, tables)


def _catalogued(entry: catalog.Entry) -> Source:
    """A data file of the catalog; a sentiment score becomes a label, missing where it is neutral."""
    if entry.table is None:
        raise DataError(f"{entry.name!r} is a {entry.kind}, not a data set")
    columns = tuple(entry.table["columns"])
    file = catalog.fetch(entry.name) / next(iter(entry.files))
    table = delimited_table(file, "\t", quoted=False, columns=columns)
    roles = {role: entry.table[role] for role in ("text", "text_pair", "label") if role in entry.table}
    table = replace(table, roles=roles)
    neutral_below = entry.table.get("neutral_below")
    if neutral_below is not None:
        score = columns.index(entry.table["label"])

        def labelled(cells: list[str]) -> list[str | None]:
            return [*cells[:score], polarity(cells[score], neutral_below), *cells[score + 1 :]]

        table = replace(table.mapped(labelled), unlabelled=f"with |score| < {neutral_below} (neutral)")
    return Source(entry.name, {"train": table}, entry.licence, entry.citation)


def _hub_dataset(name: str) -> Source:
    given = hub.dataset(name)
    tables = {
        _SPLITS[split]: _hub_table(f"{name} ({split})", given[split]) for split in given if split in _SPLITS
    }
    if "train" not in tables:
        raise DataError(f"data set {name!r} of the hub has no train split; it has: {', '.join(given)}")
    info = next(iter(given.values())).info
    return Source(
        name, tables, getattr(info, "license", "") or "not stated", getattr(info, "citation", "") or ""
    )


def _hub_table(where: str, data: Any) -> Table:
    """A split of a hub data set; class ids become names (-1, a hidden label, becomes none)."""
    columns = tuple(data.column_names)
    inner = {name: getattr(feature, "feature", feature) for name, feature in data.features.items()}
    classes = {name: kind.names for name, kind in inner.items() if hasattr(kind, "int2str")}

    def named(row: Mapping[str, Any]) -> list[Any]:
        return [_named(row[column], classes.get(column)) for column in columns]

    names = {column: dict(zip(stated, stated, strict=True)) for column, stated in classes.items()}
    stamp = f"{where}|{data._fingerprint}"
    return Table(where, columns, lambda: enumerate(data, 1), stamp, names=names).mapped(named)


def _named(cell: Any, names: list[str] | None) -> Any:
    if names is None or cell is None:
        return cell
    if isinstance(cell, list):
        return [_named(part, names) for part in cell]
    return names[cell] if cell >= 0 else None
