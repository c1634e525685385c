"""From what a user names to tables: paths, folders, catalog names, `GRADATIM_DATA` names, hub data sets."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gradatim.data import catalog, hub
from gradatim.data.columns import Layout
from gradatim.data.delimited import Dialect
from gradatim.data.named import NAMED, data_root, named_key
from gradatim.data.tables import SUFFIXES, Row, Table, concatenated, delimited_table, open_table
from gradatim.data.textfile import plain_stem, plain_suffix
from gradatim.errors import DataError, did_you_mean

PathLike = str | os.PathLike[str]
_SPLIT_FILE = re.compile(r"(train|training|dev|valid|validation|val|test)(-\d+-of-\d+)?", re.IGNORECASE)
_SPLITS = {"train": "train", "training": "train", "test": "test"}  # all others mean dev
_GUESSED = Layout()


@dataclass(frozen=True, slots=True)
class Source:
    """Tables per split (`train` alone when there is one table) and what is known about them."""

    name: str
    tables: Mapping[str, Table]
    layout: Layout = _GUESSED
    licence: str = "not stated"
    citation: str = ""

    def names_for(self, label: str | None) -> Mapping[str, str]:
        """Raw label to name, in class order, as far as the source states them for the column `label`."""
        if label is None or label == self.layout.label:
            if self.layout.names:
                return self.layout.names
            stated = next(iter(self.tables["train"].classes.values()), ())
        else:
            stated = self.tables["train"].classes.get(label, ())
        return {name: name for name in stated}


def find_source(source: PathLike, *, dev: PathLike | None = None, test: PathLike | None = None) -> Source:
    """What `source` names, looked for in this order:

    1. an existing file or folder; 2. a name of the catalog; 3. a name under `GRADATIM_DATA`, where that is
    set; 4. a data set id of the hub, `name`, `owner/name` or `owner/name:config`. What looks like a path
    (a known suffix, a leading `.`, `~` or `/`) is only looked for as a path. `dev` and `test` are files that
    add or replace those splits. Raises DataError that says where it was looked for and the nearest name.
    """
    found = _find(source)
    extra = {
        split: open_table(Path(path).expanduser())
        for split, path in (("dev", dev), ("test", test))
        if path is not None
    }
    return replace(found, tables={**found.tables, **extra})


def _find(source: PathLike) -> Source:
    name = os.fspath(source)
    path = Path(name).expanduser()
    if path.is_dir():
        return _folder(path)
    if path.is_file():
        return Source(plain_stem(path), {"train": open_table(path)})
    if isinstance(source, os.PathLike) or name.startswith((".", "~", "/")) or plain_suffix(path) in SUFFIXES:
        siblings = [item.name for item in path.parent.iterdir()] if path.parent.is_dir() else []
        raise DataError(f"no such file or folder: {name}{did_you_mean(path.name, siblings)}")
    if name in catalog.entries():
        return _catalogued(name)
    key, root = named_key(name), data_root()
    if key and root:
        return _benchmark(key, root)
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
    looked.append(
        "the hub (cannot be reached)"
        if hub.looks_like_id(name.partition(":")[0])
        else "hub ids (it has not the form of one)"
    )
    near = did_you_mean(name, [*data_sets, *NAMED]) if key != name else ""
    return f"no data set {name!r}; looked for it among {'; '.join(looked)}{near}"


def _folder(folder: Path) -> Source:
    """A folder with files train, dev | valid | validation | val and test, in shards or not."""
    parts: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        match = _SPLIT_FILE.fullmatch(plain_stem(path))
        if match and path.is_file() and plain_suffix(path) in SUFFIXES:
            split = _SPLITS.get(match[1].lower(), "dev")
            parts.setdefault(split, []).append(path)
            if len(parts[split]) > 1 and not match[2]:
                raise DataError(
                    f"{folder}: {parts[split][0].name} and {path.name} are both the {split} split; keep one"
                )
    if "train" not in parts:
        there = ", ".join(sorted(item.name for item in folder.iterdir())[:8]) or "nothing"
        raise DataError(f"{folder} has no file train.csv (or .tsv, .jsonl, .parquet); it holds: {there}")
    tables = {split: concatenated([open_table(path) for path in paths]) for split, paths in parts.items()}
    return Source(folder.resolve().name, tables)


def _catalogued(name: str) -> Source:
    entry = catalog.find(name)
    if entry.table is None:
        raise DataError(f"{name!r} is a {entry.kind}, not a data set")
    file = catalog.fetch(name) / next(iter(entry.files))
    columns = tuple(entry.table["columns"])
    table = delimited_table(file, Dialect("\t", quoted=False, header=False, columns=columns, named=True))
    neutral_below = entry.table.get("neutral_below")
    layout = Layout(
        text=entry.table["text"],
        text_pair=entry.table.get("text_pair"),
        label=entry.table.get("label"),
        labelled="label" in entry.table,
        names={} if neutral_below is None else {name: name for name in ("negative", "positive")},
        neutral_below=neutral_below,
    )
    return Source(name, {"train": table}, layout, entry.licence, entry.citation)


def _benchmark(key: str, root: Path) -> Source:
    named = NAMED[key]
    return Source(key, named.tables(root), named.layout_in(root), named.licence, named.citation)


def _hub_dataset(name: str) -> Source:
    splits = hub.dataset(name)
    tables = {}
    for given in splits:
        split = {"train": "train", "validation": "dev", "valid": "dev", "dev": "dev", "test": "test"}.get(
            given
        )
        if split:
            tables[split] = _hub_table(f"{name} ({given})", splits[given])
    if "train" not in tables:
        raise DataError(f"data set {name!r} of the hub has no train split; it has: {', '.join(splits)}")
    info = splits["train"].info if "train" in splits else None
    licence, citation = (getattr(info, "license", "") or "not stated"), (getattr(info, "citation", "") or "")
    return Source(name, tables, licence=licence, citation=citation)


def _hub_table(where: str, rows: Any) -> Table:
    """A split of a hub data set; class ids become names (-1, a hidden label, becomes none)."""
    classes = {name: tuple(_class_names(feature)) for name, feature in rows.features.items()}
    classes = {name: names for name, names in classes.items() if names}
    columns = tuple(rows.column_names)

    def scan() -> Iterator[Row]:
        for number, row in enumerate(rows, 1):
            yield number, [_named_class(row[name], classes.get(name)) for name in columns]

    return Table(where, columns, scan, f"{where}|{rows._fingerprint}", classes=classes)


def _class_names(feature: Any) -> list[str]:
    inner = getattr(feature, "feature", feature)
    names = getattr(inner, "names", None)
    return list(names) if isinstance(names, list) else []


def _named_class(cell: Any, names: tuple[str, ...] | None) -> Any:
    if names is None or cell is None or isinstance(cell, str):
        return cell
    if isinstance(cell, list):
        return [names[i] for i in cell]
    return names[cell] if cell >= 0 else None
