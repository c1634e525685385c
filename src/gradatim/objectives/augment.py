"""More text for a student to imitate on: random edits of what there is (Tang et al. 2019, section 3.4)."""

from __future__ import annotations

import numpy as np

from gradatim.types import Array, Encoded

MASK_SHARE = 0.1  # tokens replaced by the mask token
SPAN_CHANCE = 0.25  # texts cut to a random span
SPAN_LENGTHS = (2, 8)  # tokens, specials not counted


def augment(encoded: Encoded, copies: int, *, mask_id: int, seed: int = 0) -> Encoded:
    """`copies` edited versions of every row, each a text of its own: tokens masked, or a short span kept.

    The first and last token of a row (its special tokens) stay. Rows of pairs keep both texts
    whole and are only masked, so that segments stay true.
    """
    rng = np.random.default_rng(seed)
    lengths = np.tile(np.asarray(encoded.arrays["lengths"]), copies)
    ids = np.tile(np.asarray(encoded.arrays["ids"]), copies)
    starts = np.cumsum(lengths) - lengths
    rows = np.repeat(np.arange(len(lengths)), lengths)
    place = np.arange(len(ids)) - starts[rows]
    inner = (place > 0) & (place < lengths[rows] - 1)
    ids = np.where(inner & (rng.random(len(ids)) < MASK_SHARE), mask_id, ids)
    segments = encoded.arrays.get("segments")
    paired = segments is not None and bool(np.any(segments))
    keep = np.ones(len(ids), dtype=bool)
    if not paired:
        keep = ~inner | _inside_span(rng, lengths, rows, place)
    arrays: dict[str, Array] = {"ids": ids[keep], "lengths": np.bincount(rows[keep], minlength=len(lengths))}
    if segments is not None:
        arrays["segments"] = np.tile(np.asarray(segments), copies)[keep]
    return Encoded(arrays, np.arange(len(lengths)), len(lengths))


def join(first: Encoded, second: Encoded) -> Encoded:
    """All texts of both, those of `first` first."""
    arrays = {
        name: np.concatenate([first.arrays[name], second.arrays[name]])
        for name in first.arrays
        if name in second.arrays
    }
    owners = np.concatenate([first.owners, second.owners + first.num_texts])
    return Encoded(arrays, owners, first.num_texts + second.num_texts, first.cut + second.cut)


def _inside_span(rng: np.random.Generator, lengths: Array, rows: Array, place: Array) -> Array:
    """For each token, whether it lies in its row's kept span; most rows keep everything."""
    whole = rng.random(len(lengths)) >= SPAN_CHANCE
    size = rng.integers(SPAN_LENGTHS[0], SPAN_LENGTHS[1] + 1, len(lengths))
    begin = 1 + (rng.random(len(lengths)) * np.maximum(1, lengths - 1 - size)).astype(np.int64)
    inside: Array = whole[rows] | ((place >= begin[rows]) & (place < (begin + size)[rows]))
    return inside
