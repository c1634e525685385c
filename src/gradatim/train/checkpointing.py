"""Checkpoints of a run: one safetensors file each, which appears whole or not at all."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from gradatim.engine.atomic import atomic_file
from gradatim.errors import CheckpointError

NAME = re.compile(r"step-(\d{9})\.safetensors")
FACTS = "gradatim"  # the entry of the file's metadata that holds everything but tensors, as JSON


class Checkpoints:
    """The last `keep` checkpoints of one run, in its folder."""

    def __init__(self, folder: Path, *, keep: int = 2) -> None:
        self.folder = folder
        self.keep = keep

    def save(self, step: int, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Write tensors and facts (JSON) as of after `step` steps; older checkpoints go last.

        Raises CheckpointError if the file cannot be written, on a full disk for example.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        whole = {name: tensor.detach().contiguous() for name, tensor in tensors.items()}
        path = self.folder / f"step-{step:09}.safetensors"
        try:
            with atomic_file(path) as handle:
                save_file(whole, handle.name, {FACTS: json.dumps(facts)})
        except SafetensorError as error:
            raise CheckpointError(f"{path} cannot be written: {error}; the one before it stays") from error
        for path in self._newest_first()[self.keep :]:
            path.unlink()
        for part in self.folder.glob(".*.part"):  # of a process that was killed while it wrote
            part.unlink(missing_ok=True)

    def load(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """Tensors and facts of the newest checkpoint, or None; raises CheckpointError if it is damaged."""
        paths = self._newest_first()
        if not paths:
            return None
        try:
            with safe_open(paths[0], "pt") as stored:
                facts: dict[str, Any] = json.loads(stored.metadata()[FACTS])
                return {name: stored.get_tensor(name) for name in stored.keys()}, facts  # noqa: SIM118
        except (SafetensorError, OSError, KeyError, TypeError, json.JSONDecodeError) as error:
            raise CheckpointError(
                f"{paths[0]} cannot be read ({error}): remove it, and the run goes on from the one before"
            ) from error

    def _newest_first(self) -> list[Path]:
        found = (path for path in self.folder.glob("step-*.safetensors") if NAME.fullmatch(path.name))
        return sorted(found, key=lambda path: path.name, reverse=True)


def prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors under names that begin with `prefix` and a dot."""
    return {f"{prefix}.{name}": tensor for name, tensor in tensors.items()}


def under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The inverse of `prefixed`: those that begin so, without it."""
    start = f"{prefix}."
    return {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}
