"""Artifact files: what goes in comes out, and nothing else does."""

from __future__ import annotations

import errno
import json
import os
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from gradatim.engine import atomic
from gradatim.engine.artifact import read_artifact, rewrite_artifact, write_artifact
from gradatim.errors import ArtifactError
from gradatim.types import Task

TASK = Task(("no", "yes", "peut-être ✓"), multi_label=True, pairs=True)
WEIGHTS = os.urandom(5000)


def write(path: Path, **changes: Any) -> Path:
    fields: dict[str, Any] = {
        "kind": "onnx",
        "task": TASK,
        "encoder": {"kind": "pieces", "max_length": 128},
        "members": {"model.onnx": WEIGHTS, "tokenizer.json": b"{}" * 5000},
        "decision": {"temperature": 1.5, "thresholds": [0.5, 0.4, 0.3]},
        "metrics": {"accuracy": 0.9},
        "provenance": {"seed": 1},
        "card": "# Čard",
    }
    write_artifact(path, **{**fields, **changes})
    return path


def repack(path: Path, change: dict[str, bytes | None], *, manifest: dict[str, Any] | None = None) -> None:
    """Write the zip again with members replaced, added, or (None) removed."""
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    if manifest is not None:
        fields = {**json.loads(contents["manifest.json"]), **manifest}
        contents["manifest.json"] = json.dumps(fields).encode()
    contents.update({name: data for name, data in change.items() if data is not None})
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in contents.items():
            if change.get(name, b"") is not None:
                archive.writestr(name, data)


def test_contents_come_back(tmp_path: Path) -> None:
    artifact = read_artifact(write(tmp_path / "m.gradatim"))
    assert artifact.task == TASK
    assert (artifact.kind, artifact.card) == ("onnx", "# Čard")
    assert artifact.encoder == {"kind": "pieces", "max_length": 128}
    assert artifact.decision == {"temperature": 1.5, "thresholds": [0.5, 0.4, 0.3]}
    assert artifact.metrics == {"accuracy": 0.9}
    assert artifact.provenance == {"seed": 1}
    assert artifact.member("model.onnx") == WEIGHTS
    assert set(artifact.members) == {"card.md", "model.onnx", "tokenizer.json"}
    with pytest.raises(ArtifactError, match=r"model\.onnx"):
        artifact.member("model.onx")


def test_equal_content_gives_equal_bytes(tmp_path: Path) -> None:
    first = write(tmp_path / "a.gradatim")
    second = write(tmp_path / "b.gradatim", members={"tokenizer.json": b"{}" * 5000, "model.onnx": WEIGHTS})
    assert first.read_bytes() == second.read_bytes()


def test_text_is_compressed_and_weights_are_not(tmp_path: Path) -> None:
    with zipfile.ZipFile(write(tmp_path / "m.gradatim")) as archive:
        kinds = {entry.filename: entry.compress_type for entry in archive.infolist()}
    assert kinds["tokenizer.json"] == zipfile.ZIP_DEFLATED
    assert kinds["model.onnx"] == zipfile.ZIP_STORED


def test_rewriting_adds_results_and_keeps_the_rest(tmp_path: Path) -> None:
    path = write(tmp_path / "m.gradatim")
    rewrite_artifact(path, metrics={"p95_ms": 1.25}, card="new", decision={"temperature": 2.0})
    artifact = read_artifact(path)
    assert artifact.metrics == {"accuracy": 0.9, "p95_ms": 1.25}
    assert artifact.decision["temperature"] == 2.0
    assert artifact.decision["thresholds"] == [0.5, 0.4, 0.3]
    assert (artifact.card, artifact.provenance) == ("new", {"seed": 1})
    assert artifact.member("model.onnx") == WEIGHTS


def test_full_disk_leaves_the_old_file_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "m.gradatim")
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(atomic.os, "fsync", full)
    with pytest.raises(ArtifactError, match="disk is full"):
        write(path, kind="linear")
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["m.gradatim"]


def _open_full_device(*_: object) -> BinaryIO:
    return open("/dev/full", "wb")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_full_device_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(atomic, "open", _open_full_device, raising=False)
    with pytest.raises(ArtifactError, match="disk is full"):
        write(tmp_path / "m.gradatim", members={"model.onnx": os.urandom(1 << 20)})
    assert os.listdir(tmp_path) == []


def test_missing_folder_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="not written"):
        write(tmp_path / "nowhere" / "m.gradatim")


@pytest.mark.parametrize(
    "name", ["../evil", "/etc/passwd", "a/b", "a\\b", "..", "", "card.md", "manifest.json"]
)
def test_member_names_must_be_plain(tmp_path: Path, name: str) -> None:
    with pytest.raises(ArtifactError, match="not allowed"):
        write(tmp_path / "m.gradatim", members={name: b"x"})


def test_numbers_that_json_lacks_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="JSON"):
        write(tmp_path / "m.gradatim", metrics={"accuracy": float("nan")})


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="no such file"):
        read_artifact(tmp_path / "absent.gradatim")
    with pytest.raises(ArtifactError, match="cannot be opened"):
        read_artifact(tmp_path)


@pytest.mark.parametrize("content", [b"", b"hello, I am no zip at all", b"PK\x05\x06" + bytes(18)])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.gradatim"
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"no gradatim model|not a gradatim model"):
        read_artifact(path)


@pytest.mark.parametrize("share", [0.01, 0.3, 0.7, 0.95, 0.999])
def test_truncated_files_are_refused(tmp_path: Path, share: float) -> None:
    path = write(tmp_path / "m.gradatim")
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ArtifactError, match="end of the file is missing"):
        read_artifact(path)


def test_flipped_byte_in_the_weights_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "m.gradatim")
    content = bytearray(path.read_bytes())
    at = content.find(WEIGHTS[:64])
    assert at > 0
    content[at + 1000] ^= 1
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match="damaged"):
        read_artifact(path)


def test_wrong_hash_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "m.gradatim")
    repack(path, {"model.onnx": WEIGHTS[::-1]})  # a sound zip, whose manifest describes another member
    with pytest.raises(ArtifactError, match="wrong sha256"):
        read_artifact(path)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"extra.bin": b"x"}, r"not in its manifest \['extra.bin'\]"),
        ({"../../evil": b"x"}, "not in its manifest"),
        ({"model.onnx": None}, r"missing \['model.onnx'\]"),
        ({"manifest.json": None}, "no manifest.json"),
        ({"model.onnx": WEIGHTS + b"x"}, "wrong size"),
        ({"manifest.json": b"{"}, "not JSON"),
        ({"manifest.json": b"[1]"}, "does not say so"),
    ],
)
def test_altered_member_lists_are_refused(tmp_path: Path, change: dict[str, bytes | None], says: str) -> None:
    path = write(tmp_path / "m.gradatim")
    repack(path, change)
    with pytest.raises(ArtifactError, match=says):
        read_artifact(path)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"version": 3}, "upgrade gradatim"),
        ({"version": 0}, "make it anew"),
        ({"version": "x"}, "make it anew"),
        ({"format": "zip"}, "does not say so"),
        ({"kind": None}, "'kind'"),
        ({"task": {"kind": "classification", "labels": []}}, "'labels'"),
        (
            {"task": {"kind": "tagging", "labels": ["a", "a"], "multi_label": False, "pairs": False}},
            "'labels'",
        ),
        ({"task": {"kind": "guessing", "labels": ["a"]}}, "'guessing'"),
        ({"members": {"model.onnx": 3}}, "'model.onnx'"),
        ({"members": {"../x": {"size": 1, "sha256": "0"}}}, "not in its manifest"),
    ],
)
def test_malformed_manifests_are_refused(tmp_path: Path, fields: dict[str, Any], says: str) -> None:
    path = write(tmp_path / "m.gradatim")
    repack(path, {}, manifest=fields)
    with pytest.raises(ArtifactError, match=says):
        read_artifact(path)


def test_bombs_are_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "m.gradatim"
    write(path, members={"model.onnx": bytes(80 << 20)})  # 80 MB of zeros shrink to 80 kB
    assert path.stat().st_size < 1 << 20
    with pytest.raises(ArtifactError, match="more than a model can"):
        read_artifact(path)


def test_the_same_member_twice_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "m.gradatim")
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("model.onnx", b"other")
    with pytest.raises(ArtifactError, match="twice"):
        read_artifact(path)
