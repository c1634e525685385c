"""Chance without state: numbers that are a function of a seed and of what they are drawn for."""

from __future__ import annotations

import numpy as np

from gradatim.types import Array

_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIXERS = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))


def uniform(*keys: int | Array) -> Array:
    """Uniform multiples of 2^-32 in [0, 1), one per element of the keys broadcast: a function of its keys alone.

    The keys pass one after another through the mixer of SplitMix64 (Steele et al. 2014).
    """
    state = np.zeros(1, dtype=np.uint64)
    for key in keys:
        state = state + _STEP * (np.atleast_1d(key).astype(np.uint64) + np.uint64(1))
        for shift, factor in _MIXERS:
            state = (state ^ (state >> np.uint64(shift))) * np.uint64(factor)
        state ^= state >> np.uint64(31)
    return (state >> np.uint64(32)) * 2.0**-32


def choose(values: Array, rows: Array, room: Array, sizes: Array | None = None) -> Array:
    """Of the units of each row, in order of their `uniform` values, those that fit into its room: bool (units,).

    `rows` (ascending) names the row of each unit, `room` is per row; of units of several tokens
    (`sizes`) the last may stick out by half, and each row takes at least one.
    """
    sizes = np.ones(len(rows), np.int64) if sizes is None else sizes
    order = np.argsort(rows + values, kind="stable")  # an exact sum; stays within rows
    begins = np.cumsum(sizes[order]) - sizes[order]
    first = np.searchsorted(rows, rows)
    before = begins - begins[first]
    chosen = np.empty(len(rows), dtype=bool)
    chosen[order] = (before == 0) | (before + sizes[order] / 2 <= room[rows])
    return chosen


def partition(totals: Array, parts: Array, examples: Array, *keys: int) -> Array:
    """Each example's total cut into so many parts of at least 1, all cuts equally likely: (sum of parts,)."""
    rows = np.repeat(np.arange(len(totals)), totals)
    places = np.arange(len(rows)) - (np.cumsum(totals) - totals)[rows]
    # The first unit always begins a part.
    values = np.where(places == 0, 0.0, uniform(*keys, examples[rows], places))
    begins = np.flatnonzero(choose(values, rows, parts))
    return np.diff(begins, append=len(rows))
