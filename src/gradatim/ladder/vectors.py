"""Static vectors as a starting point for token embeddings."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gradatim.errors import SourceError


def start_from(
    name: str | None, tokenizer_json: str, width: int
) -> tuple[tuple[str, ...], int, Tensor | None]:
    """Notes, the width, and vectors (vocabulary, width) for a tokenizer's pieces, or None to start at random.

    Pieces that are whole words take the word's vector; the others start small and random.
    """
    if name is None:
        return ("vectors trained from scratch",), width, None
    from gradatim.data import fetch

    words, table = read_vectors(fetch(name))
    rows = {word: row for row, word in enumerate(words)}
    pieces: dict[str, int] = json.loads(tokenizer_json)["model"]["vocab"]
    rng = np.random.default_rng(0)
    vectors = rng.normal(scale=0.05, size=(max(pieces.values()) + 1, table.shape[1])).astype(np.float32)
    found = [(index, rows[piece]) for piece, index in pieces.items() if piece in rows]
    vectors[[index for index, _ in found]] = table[[row for _, row in found]]
    note = f"{len(found)} of {len(pieces)} pieces start from {name}"
    return (note,), int(table.shape[1]), torch.from_numpy(vectors)


def read_vectors(folder: Path) -> tuple[list[str], np.ndarray]:
    """Words and their vectors (words, width) from a catalog folder: one .npy table and its .parquet index."""
    tables, indexes = sorted(folder.rglob("*.npy")), sorted(folder.rglob("*.parquet"))
    if len(tables) != 1 or len(indexes) != 1:
        raise SourceError(f"{folder} must hold one .npy table and one .parquet index of its words")
    import pyarrow.parquet as parquet

    index = parquet.read_table(indexes[0])
    column = next(
        n for n, f in zip(index.column_names, index.schema, strict=True) if str(f.type).endswith("string")
    )
    return index[column].to_pylist(), np.load(tables[0], allow_pickle=False, mmap_mode="r")
