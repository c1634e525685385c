"""64-bit hashes of n-grams, computed for a whole batch at once, and the packing of rows.

A key of 64 bits names an n-gram well enough to need no vocabulary of strings: among a million
n-grams the chance of any collision is about 3e-8 (birthday bound).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]
Ints = npt.NDArray[np.int64]

BASE = np.uint64(0x9E3779B97F4A7C15)  # odd, so multiplying by it loses no bit


def mix(values: Hashes) -> Hashes:
    """Scramble 64 bits one to one (the finaliser of SplitMix64, Steele et al. 2014)."""
    mixed = values ^ (values >> np.uint64(30))
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(27)
    mixed *= np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return mixed


def salt(number: int) -> np.uint64:
    """The hash of a small number: what keeps features of different kinds apart."""
    return np.uint64(mix(np.array([number], dtype=np.uint64) + BASE)[0])


def ngrams(values: Hashes, groups: Ints, smallest: int, largest: int) -> Iterator[tuple[int, Ints, Hashes]]:
    """Yield `(n, first, keys)` for n = smallest..largest: each n-gram's first position and its key.

    An n-gram is n neighbours of one group; `groups` is ascending. Its polynomial hash
    `sum_j v_j B^(n-1-j)` grows from the (n-1)-gram's by one multiplication and one addition.
    """
    rolling = values
    for n in range(1, largest + 1):
        if n > 1:
            rolling = rolling[:-1] * BASE + values[n - 1 :]
        if n >= smallest:
            first = np.flatnonzero(groups[: len(rolling)] == groups[n - 1 :])
            yield n, first, mix(rolling[first] + salt(n))


def hash_runs(values: Hashes, starts: Ints, lengths: Ints) -> Hashes:
    """The hash of each run `values[..., starts[i] : starts[i] + lengths[i]]`; the runs fill `values`."""
    if not len(starts):
        return np.zeros((*values.shape[:-1], 0), dtype=np.uint64)
    powers = np.full(int(lengths.max()), BASE, dtype=np.uint64)
    powers[0] = 1
    np.multiply.accumulate(powers, out=powers)
    place = np.arange(values.shape[-1]) - np.repeat(starts, lengths)
    return mix(np.add.reduceat(values * powers[place], starts, axis=-1))


def row_lengths(groups: Ints, num_rows: int) -> Ints:
    """How many entries of the ascending `groups` each of the rows 0..num_rows-1 has."""
    edges = np.searchsorted(groups, np.arange(num_rows + 1))
    return np.diff(edges).astype(np.int64, copy=False)


def pack(arrays: Sequence[npt.NDArray[Any]], lengths: Sequence[Ints]) -> tuple[npt.NDArray[Any], Ints]:
    """Join packed arrays row by row: all of row 0 (in the order given), then all of row 1, and so on.

    `lengths[k]` are the row lengths of `arrays[k]`. Returns the joined array and its row lengths.
    """
    flat = np.concatenate(arrays)
    counts = np.stack(lengths)
    total = counts.sum(axis=0)
    if counts.shape[1] <= 1:
        return flat, total
    goal = np.cumsum(counts, axis=0) - counts + (np.cumsum(total) - total)
    origin = np.cumsum(counts.ravel()) - counts.ravel()
    packed = np.empty_like(flat)
    packed[np.arange(len(flat)) + np.repeat(goal.ravel() - origin, counts.ravel())] = flat
    return packed, total
