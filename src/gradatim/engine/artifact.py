"""The `.gradatim` file: one zip of a manifest, a card and the model's members.

`manifest.json` names the size and SHA-256 of every other member, so that a file that was cut off,
altered or swollen is refused before any of it is used. Equal content gives equal bytes.
"""

from __future__ import annotations

import errno
import json
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import BinaryIO, TypeAlias

from gradatim.engine.atomic import atomic_file
from gradatim.engine.manifest import ADVICE, JSON, MANIFEST, Manifest, describe, sha256
from gradatim.errors import ArtifactError, did_you_mean
from gradatim.types import Task

CARD = "card.md"

Buffer: TypeAlias = bytes | memoryview

_HEADER = 30  # bytes of a local header before the name
_PADDING = 0xD935  # the extra field that Android's zipalign made known
_ALIGNMENT = 64
_EPOCH = (1980, 1, 1, 0, 0, 0)  # a fixed time stamp: equal content, equal bytes
_MANIFEST_LIMIT = 16 << 20
# Deflate can swell a thousandfold; real members shrink to no less than a hundredth.
_MAX_INFLATION = 100
_FREE_INFLATION = 64 << 20
_UNREADABLE = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError,
    RuntimeError, ValueError, OverflowError, OSError, KeyError,
)  # fmt: skip


@dataclass(frozen=True)
class Artifact:
    """A verified `.gradatim` file in memory: what its manifest says, and its members."""

    path: Path
    kind: str
    task: Task
    encoder: Mapping[str, JSON]
    decision: Mapping[str, JSON]
    metrics: Mapping[str, float]
    provenance: Mapping[str, JSON]
    members: Mapping[str, Buffer] = field(repr=False)

    @property
    def card(self) -> str:
        """The model card, Markdown; empty if none was written."""
        return self.member(CARD).decode("utf-8")

    def manifest(self) -> dict[str, JSON]:
        """The manifest as JSON values."""
        return describe(
            kind=self.kind,
            task=self.task,
            encoder=self.encoder,
            decision=self.decision,
            metrics=self.metrics,
            provenance=self.provenance,
            members=self.members,
        )

    def member(self, name: str) -> bytes:
        """The bytes of one member; `ArtifactError` if there is none of that name."""
        return bytes(self.view(name))

    def view(self, name: str) -> Buffer:
        """The same, mapped from the file if that was asked for when it was read."""
        try:
            return self.members[name]
        except KeyError:
            raise ArtifactError(
                f"{self.path} holds {', '.join(self.members)}, no '{name}'{did_you_mean(name, self.members)}"
            ) from None


def write_artifact(
    path: Path,
    *,
    kind: str,
    task: Task,
    encoder: Mapping[str, JSON],
    members: Mapping[str, Buffer],
    decision: Mapping[str, JSON] | None = None,
    metrics: Mapping[str, float] | None = None,
    provenance: Mapping[str, JSON] | None = None,
    card: str = "",
) -> None:
    """Write one model as one file, whole or not at all.

    `kind` names the session, `encoder` the settings (with their own `kind`) from which the encoder
    is rebuilt, `decision` temperature and thresholds. A member given as a memoryview is stored as it
    is, whatever it would shrink to, so that it can be mapped. Raises `ArtifactError` if the disk is full
    or the folder cannot be written; an older file at `path` is then untouched.
    """
    for name in members:
        if not _is_plain(name) or name in (MANIFEST, CARD):
            raise ArtifactError(f"member name '{name}' is not allowed; use a plain file name")
    contents = dict(sorted({CARD: card.encode("utf-8"), **members}.items()))
    artifact = Artifact(path, kind, task, encoder, decision or {}, metrics or {}, provenance or {}, contents)
    try:
        text = json.dumps(artifact.manifest(), ensure_ascii=False, allow_nan=False, indent=1, sort_keys=True)
    except (TypeError, ValueError) as error:
        raise ArtifactError(f"the manifest of {path} cannot be written as JSON: {error}") from error
    try:
        with atomic_file(path) as handle, zipfile.ZipFile(handle, "w") as archive:
            for name, data in {MANIFEST: text.encode("utf-8"), **contents}.items():
                archive.writestr(_entry(name, data, handle.tell()), data)
    except OSError as error:
        raise ArtifactError(_why_not_written(path, error)) from error


def rewrite_artifact(
    path: Path,
    *,
    metrics: Mapping[str, float] | None = None,
    provenance: Mapping[str, JSON] | None = None,
    decision: Mapping[str, JSON] | None = None,
    card: str | None = None,
) -> None:
    """Add results to a written artifact: the given entries join the old ones, a given card replaces it."""
    old = read_artifact(path)
    write_artifact(
        path,
        kind=old.kind,
        task=old.task,
        encoder=old.encoder,
        members={name: data for name, data in old.members.items() if name != CARD},
        decision={**old.decision, **(decision or {})},
        metrics={**old.metrics, **(metrics or {})},
        provenance={**old.provenance, **(provenance or {})},
        card=old.card if card is None else card,
    )


def read_artifact(path: Path, *, mapped: bool = False) -> Artifact:
    """Read and verify one `.gradatim` file; `ArtifactError` says what is wrong and what to do.

    With `mapped`, members that are stored as they are stay in the file, as views of it.
    """
    path = Path(path)
    try:
        handle = open(path, "rb")  # noqa: SIM115  # closed below; opened here to tell absence from damage
    except FileNotFoundError:
        raise ArtifactError(f"no such file: {path}. Give the path of a .gradatim file.") from None
    except OSError as error:
        raise ArtifactError(f"{path} cannot be opened: {error.strerror}.") from None
    with handle, _unpacking(path, handle) as archive:
        entries = {entry.filename: entry for entry in archive.infolist()}
        if len(entries) != len(archive.infolist()):
            raise ArtifactError(f"{path} holds the same member twice. {ADVICE}")
        if MANIFEST not in entries:
            raise ArtifactError(f"{path} is a zip file but no gradatim model: it has no {MANIFEST}.")
        manifest = Manifest(path, archive.read(_bounded(path, entries.pop(MANIFEST), _MANIFEST_LIMIT)))
        sizes = manifest.sizes()
        _check_members(path, entries, sizes)
        members: dict[str, Buffer] = {}
        whole = memoryview(mmap(handle.fileno(), 0, access=ACCESS_READ)) if mapped else None
        for name in sizes:
            if whole and entries[name].compress_type == zipfile.ZIP_STORED:
                members[name] = _stored(whole, entries[name])
            else:
                members[name] = archive.read(entries[name])
            if sha256(members[name]) != manifest.members[name]["sha256"]:
                raise ArtifactError(
                    f"member '{name}' of {path} is not the one in its manifest (wrong sha256). {ADVICE}"
                )
    return Artifact(
        path=path,
        kind=manifest.field("kind", str),
        task=manifest.task(),
        encoder=manifest.field("encoder", dict),
        decision=manifest.field("decision", dict),
        metrics=manifest.field("metrics", dict),
        provenance=manifest.field("provenance", dict),
        members=members,
    )


@contextmanager
def _unpacking(path: Path, handle: BinaryIO) -> Iterator[zipfile.ZipFile]:
    """A zip for reading, whose many ways to fail become one clear error."""
    try:
        with zipfile.ZipFile(handle) as archive:
            yield archive
    except ArtifactError:
        raise
    except _UNREADABLE as error:
        if not zipfile.is_zipfile(handle):
            raise ArtifactError(
                f"{path} is not a gradatim model, or the end of the file is missing. {ADVICE}"
            ) from error
        raise ArtifactError(f"{path} is damaged ({error}). {ADVICE}") from error


def _check_members(path: Path, entries: Mapping[str, zipfile.ZipInfo], sizes: Mapping[str, int]) -> None:
    """The zip holds exactly the members of the manifest, under plain names, in the stated sizes."""
    if entries.keys() != sizes.keys() or CARD not in sizes:
        extra, missing = (
            sorted(entries.keys() - sizes.keys()),
            sorted(({CARD} | sizes.keys()) - entries.keys()),
        )
        raise ArtifactError(f"members of {path}: not in its manifest {extra}, missing {missing}. {ADVICE}")
    limit = _MAX_INFLATION * path.stat().st_size + _FREE_INFLATION
    if sum(sizes.values()) > limit:
        raise ArtifactError(f"{path} would unpack to {sum(sizes.values()):,} bytes, more than a model can.")
    for name, size in sizes.items():
        if not _is_plain(name):
            raise ArtifactError(f"member name '{name}' of {path} is not a plain file name.")
        if entries[name].file_size != size:
            raise ArtifactError(f"member '{name}' of {path} has the wrong size. {ADVICE}")


def _bounded(path: Path, entry: zipfile.ZipInfo, limit: int) -> zipfile.ZipInfo:
    if entry.file_size > limit:
        raise ArtifactError(f"{entry.filename} of {path} is larger than {limit:,} bytes. {ADVICE}")
    return entry


def _is_plain(name: str) -> bool:
    return bool(name) and not set(name) & set("/\\:\0") and name.strip(". ") == name


def _stored(whole: memoryview, entry: zipfile.ZipInfo) -> memoryview:
    """A stored member as a part of the file; where it begins, its own header says."""
    sizes = struct.unpack_from("<HH", whole, entry.header_offset + 26)
    start = entry.header_offset + _HEADER + sum(sizes)
    if start + entry.file_size > len(whole):
        raise EOFError("a member reaches beyond the end of the file")
    return whole[start : start + entry.file_size]


def _entry(name: str, data: Buffer, position: int) -> zipfile.ZipInfo:
    """The header of a member that begins at `position` of the file."""
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.create_system = 3  # Unix on every system, so that bytes agree
    entry.external_attr = 0o644 << 16
    # Inflating delays the first prediction; float weights hardly shrink, whole numbers and text do.
    part = 1 << 16
    sample = b"".join(data[start : start + part] for start in range(0, len(data), max(part, len(data) // 8)))
    shrinks = len(zlib.compress(sample, 1)) < 0.85 * len(sample)
    if shrinks and isinstance(data, bytes):
        entry.compress_type = zipfile.ZIP_DEFLATED
    else:  # padded, so that arrays lie where a processor wants them
        before = position + _HEADER + len(name.encode()) + 4 + 20 * (len(data) > zipfile.ZIP64_LIMIT)
        padding = -before % _ALIGNMENT
        entry.extra = struct.pack("<HH", _PADDING, padding) + bytes(padding)
    return entry


def _why_not_written(path: Path, error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return f"{path} was not written: the disk is full. Free some space and run again."
    return f"{path} was not written: {error.strerror or error}. Check the folder and its permissions."
