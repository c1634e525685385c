"""Static vectors as a starting point for token embeddings."""

from __future__ import annotations

import json

import numpy as np
import torch
from torch import Tensor

from gradatim.data.catalog import resolve_data
from gradatim.vectors.files import load_vectors


def start_from(
    name: str | None, tokenizer_json: str, width: int
) -> tuple[tuple[str, ...], int, Tensor | None]:
    """Notes, the width, and vectors (vocabulary, width) for a tokenizer's pieces, or None to start at random.

    Pieces that are whole words take the word's vector; the others start small and random.
    """
    if name is None:
        return ("vectors trained from scratch",), width, None
    known = load_vectors(resolve_data(name, "vectors"))
    rows, table = known.rows, known.table
    pieces: dict[str, int] = json.loads(tokenizer_json)["model"]["vocab"]
    rng = np.random.default_rng(0)
    vectors = rng.normal(scale=0.05, size=(max(pieces.values()) + 1, table.shape[1])).astype(np.float32)
    found = [(index, rows[piece]) for piece, index in pieces.items() if piece in rows]
    vectors[[index for index, _ in found]] = table[[row for _, row in found]]
    note = f"{len(found)} of {len(pieces)} pieces start from {name}"
    return (note,), int(table.shape[1]), torch.from_numpy(vectors)
