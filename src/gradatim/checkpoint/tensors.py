"""safetensors in a model folder: one file or shards, read whole, written whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from gradatim.engine.atomic import atomic_file
from gradatim.errors import CheckpointError

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")


def read_tensors(folder: Path) -> dict[str, Tensor]:
    """All tensors of a folder, shards joined; a pickle is never opened."""
    names = [SINGLE]
    if not (folder / SINGLE).is_file() and (folder / INDEX).is_file():
        names = _shards(folder / INDEX)
    tensors: dict[str, Tensor] = {}
    for path in (folder / name for name in names):
        if not path.is_file():
            pickles = ", ".join(sorted(item.name for item in folder.iterdir() if item.suffix in PICKLES))
            hint = (
                f"; {pickles} is a pickle, which can run code and is never loaded: convert it to "
                "safetensors where you trust it (save_pretrained of transformers writes model.safetensors)"
            )
            raise CheckpointError(f"{path} does not exist" + hint * bool(pickles))
        try:
            tensors.update(load_file(path))
        except SafetensorError as error:
            raise CheckpointError(f"{path} is not a valid safetensors file: {error}") from error
    return tensors


def _shards(index: Path) -> list[str]:
    """The files that an index names, all in its own folder."""
    where = read_json(index).get("weight_map")
    names = set(map(str, where.values())) if isinstance(where, dict) else set()
    if not names or any(Path(name).name != name for name in names):
        raise CheckpointError(f"{index}: weight_map must say which file of this folder holds each tensor")
    return sorted(names)


def shards(tensors: Mapping[str, Tensor], max_bytes: int) -> Iterator[tuple[str, bytes]]:
    """The files that hold these tensors: one, or shards of at most `max_bytes` and their index.

    A tensor that is larger than that has a shard of its own.
    """
    parts: list[dict[str, Tensor]] = [{}]
    room = max_bytes
    for name, tensor in tensors.items():
        if tensor.nbytes > room and parts[-1]:
            parts.append({})
            room = max_bytes
        parts[-1][name] = tensor
        room -= tensor.nbytes
    if len(parts) == 1:
        yield SINGLE, save(parts[0], {"format": "pt"})
        return
    where: dict[str, str] = {}
    for number, part in enumerate(parts, 1):
        file = f"model-{number:05d}-of-{len(parts):05d}.safetensors"
        where |= dict.fromkeys(part, file)
        yield file, save(part, {"format": "pt"})
    total = sum(tensor.nbytes for tensor in tensors.values())
    yield INDEX, json.dumps({"metadata": {"total_size": total}, "weight_map": where}, indent=2).encode()


def write_files(folder: Path, files: Iterable[tuple[str, bytes]]) -> None:
    """Put files into a folder together: none of them appears before all are on disk, the first of them last.

    Weights of an earlier model that the new one does not overwrite are removed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = set()
    with ExitStack() as stack:
        for name, data in files:
            handle = stack.enter_context(atomic_file(folder / name))
            handle.write(data)
            handle.flush()
            os.fsync(handle.fileno())
            written.add(name)
    for old in (folder / INDEX, folder / SINGLE, *folder.glob("model-?????-of-?????.safetensors")):
        if old.name not in written:
            old.unlink(missing_ok=True)


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a model folder; raises CheckpointError with file and line."""
    if not path.is_file():
        raise CheckpointError(
            f"{path} does not exist; a model folder holds config.json and model.safetensors"
        )
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise CheckpointError(f"{path}, line {error.lineno}: {error.msg}") from error
    except UnicodeDecodeError as error:
        raise CheckpointError(f"{path}: {error}") from error
    if not isinstance(fields, dict):
        raise CheckpointError(f"{path} holds no object with fields")
    return fields
