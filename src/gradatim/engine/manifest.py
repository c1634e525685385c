"""The manifest of an artifact: which fields it has, and a reader that names the field at fault."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeAlias, cast

from gradatim.errors import ArtifactError
from gradatim.types import KINDS, Kind, Task

JSON: TypeAlias = "bool | int | float | str | Sequence[JSON] | Mapping[str, JSON] | None"

FORMAT = "gradatim"
VERSION = 2
MANIFEST = "manifest.json"
LABELLED = ("classification", "tagging")  # kinds of tasks that name what they predict
ADVICE = "Copy or fetch the file again, or make it anew with `gradatim fit`."


def describe(
    *,
    kind: str,
    task: Task,
    encoder: Mapping[str, JSON],
    decision: Mapping[str, JSON],
    metrics: Mapping[str, float],
    provenance: Mapping[str, JSON],
    members: Mapping[str, bytes | memoryview],
) -> dict[str, JSON]:
    """The manifest of these contents, as JSON values."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "kind": kind,
        "task": {**asdict(task), "labels": list(task.labels)},
        "encoder": encoder,
        "decision": decision,
        "metrics": metrics,
        "provenance": provenance,
        "members": {name: {"sha256": sha256(data), "size": len(data)} for name, data in members.items()},
    }


def sha256(data: bytes | memoryview) -> str:
    """The digest that the manifest keeps of each member."""
    return hashlib.sha256(data).hexdigest()


class Manifest:
    """A manifest read from `data`; every question raises `ArtifactError` if the answer is malformed."""

    def __init__(self, path: Path, data: bytes) -> None:
        self.path = path
        try:
            self.fields = json.loads(data.decode("utf-8"))
        except (ValueError, RecursionError):
            raise ArtifactError(f"{MANIFEST} of {path} is not JSON. {ADVICE}") from None
        if not isinstance(self.fields, dict) or self.fields.get("format") != FORMAT:
            raise ArtifactError(f"{path} is a zip file but no gradatim model: {MANIFEST} does not say so.")
        version = self.fields.get("version")
        if version != VERSION:
            newer = isinstance(version, int) and version > VERSION
            cure = (
                "upgrade gradatim (pip install -U gradatim)" if newer else "make it anew with `gradatim fit`"
            )
            raise ArtifactError(
                f"{path} has format version {version}, this gradatim reads version {VERSION}: {cure}."
            )
        self.members: Mapping[str, Mapping[str, Any]] = self.field("members", dict)

    def field(self, name: str, kind: type, within: Mapping[str, Any] | None = None) -> Any:
        """The value of a field, of exactly this type."""
        value = (self.fields if within is None else within).get(name)
        if type(value) is not kind:
            raise ArtifactError(
                f"{MANIFEST} of {self.path}: field '{name}' is missing or malformed. {ADVICE}"
            )
        return value

    def sizes(self) -> dict[str, int]:
        """Bytes of every member, unpacked."""
        sizes = {}
        for name in self.members:
            facts = self.field(name, dict, self.members)
            self.field("sha256", str, facts)
            sizes[name] = int(self.field("size", int, facts))
        return sizes

    def task(self) -> Task:
        """What the model predicts."""
        task = self.field("task", dict)
        labels = self.field("labels", list, task)
        kind = self.field("kind", str, task)
        if kind not in KINDS:
            raise ArtifactError(f"{MANIFEST} of {self.path}: unknown kind of task '{kind}'. {ADVICE}")
        nameless = not labels and kind in LABELLED
        if nameless or len(set(map(str, labels))) < len(labels) or not all(map(_is_name, labels)):
            raise ArtifactError(
                f"{MANIFEST} of {self.path}: field 'labels' must list distinct names. {ADVICE}"
            )
        several, pairs = (self.field(name, bool, task) for name in ("multi_label", "pairs"))
        return Task(tuple(labels), several, pairs, cast(Kind, kind))


def _is_name(label: object) -> bool:
    return isinstance(label, str)
