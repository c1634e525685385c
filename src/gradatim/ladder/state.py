"""The climb folder: what is finished, rung by rung, so that a killed climb can go on."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from gradatim.engine.atomic import atomic_file
from gradatim.errors import ConfigError
from gradatim.ladder.records import Dropped, Result, Row
from gradatim.types import Candidate, Measurement

CLIMB = "climb.json"
DONE = "done.json"
UNWRITABLE = {errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EPERM, getattr(errno, "EDQUOT", errno.ENOSPC)}


class ClimbFolder:
    """A folder with `climb.json` (what is climbed) and one sub-folder a rung with `done.json`.

    `fingerprint` names everything that would change the results. Opening a folder made for other
    settings with `resume` raises ConfigError naming the differences; without `resume` it starts
    empty. A folder that holds anything else is never emptied.
    """

    def __init__(self, path: Path, fingerprint: Mapping[str, Any], *, resume: bool) -> None:
        self.path = path
        self.shared = path / "shared"
        marker = path / CLIMB
        if path.exists() and not path.is_dir():
            raise ConfigError(f"{path} is a file; name a folder for the climb with --folder")
        path.mkdir(parents=True, exist_ok=True)
        known = read_json(marker) if marker.is_file() else None
        parts = f".{CLIMB}."  # what a process leaves that is killed while it writes the marker
        if known is None and not all(item.name.startswith(parts) for item in path.iterdir()):
            raise ConfigError(f"{path} is not a climb folder and not empty; name another with --folder")
        wanted = json.loads(json.dumps(fingerprint))
        if resume and known is not None and known != wanted:
            changed = sorted(key for key in {*known, *wanted} if known.get(key) != wanted.get(key))
            raise ConfigError(
                f"{path} was climbed with other settings ({', '.join(changed)}); "
                "run without --resume to start again, or with the same settings"
            )
        if known is not None and not resume:
            for item in path.iterdir():  # the marker stays: killed here, it is still a climb folder
                if item.is_dir() and not item.is_symlink():
                    shutil.rmtree(item)
                elif item != marker:
                    item.unlink()
        write_json(marker, wanted)
        self.shared.mkdir(exist_ok=True)

    def rung(self, name: str) -> Path:
        """The rung's own folder."""
        folder = self.path / name
        folder.mkdir(exist_ok=True)
        return folder

    def finished(self, name: str) -> list[Result] | None:
        """What the rung gave when it was finished earlier, or None."""
        path = self.path / name / DONE
        if not path.is_file():
            return None
        stored = read_json(path)
        results: list[Result] = []
        for fields in stored["rows"]:
            candidate = Candidate(**fields["candidate"])
            artifact = str(self.path / candidate.artifact)
            candidate = replace(candidate, artifact=artifact, notes=tuple(candidate.notes))
            results.append(Row(candidate, Measurement(**fields["measurement"])))
        return results + [Dropped(**fields) for fields in stored["dropped"]]

    def finish(self, name: str, results: Sequence[Result]) -> None:
        """Record a rung as finished; after this a resumed climb does not train it again."""
        rows = [asdict(result) for result in results if isinstance(result, Row)]
        for row in rows:  # relative, so that the folder may be moved or named differently
            row["candidate"]["artifact"] = os.path.relpath(row["candidate"]["artifact"], self.path)
        dropped = [asdict(result) for result in results if isinstance(result, Dropped)]
        write_json(self.rung(name) / DONE, {"rows": rows, "dropped": dropped})


@contextmanager
def disk_faults() -> Iterator[None]:
    """Turn a full disk or a folder that may not be written into an error for the user."""
    try:
        yield
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        raise ConfigError(
            f"{error.filename or 'a file of the climb'} cannot be written: {error.strerror}; "
            "make room or name other folders, then --resume continues the climb"
        ) from error


@contextmanager
def climbing_alone(path: Path) -> Iterator[None]:
    """Hold the folder of a climb while the block runs, however the process ends.

    Raises ConfigError where another process climbs in it; where the system knows no locks it is not held.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    if not path.exists():
        path.mkdir(parents=True)
    held = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(held)
        raise ConfigError(
            f"another climb is running in {path}: wait for it, or name another folder with --folder (or --out)"
        ) from error
    except OSError:  # no locks here
        pass
    try:
        yield
    finally:
        os.close(held)


def read_json(path: Path) -> Any:
    """What `write_json` wrote; raises ConfigError if someone has damaged it."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigError(f"{path} is damaged ({error}); remove the folder and start again") from error


def write_json(path: Path, content: Any) -> None:
    """Write atomically: a reader sees the old file or the new one."""
    with atomic_file(path) as handle:
        handle.write(json.dumps(content, indent=1, sort_keys=True).encode())
