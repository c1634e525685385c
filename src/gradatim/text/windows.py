"""Where the windows of a long sequence lie: arithmetic only."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gradatim.errors import ConfigError
from gradatim.types import Array


class Windows(NamedTuple):
    """Half-open spans `starts[i]:ends[i]` of the sequences `owners[i]`, in ascending order; int64."""

    owners: Array
    starts: Array
    ends: Array


def windows(lengths: Array, room: int, stride: int = 0) -> Windows:
    """Cover sequences of `lengths` (n,) with as few windows of at most `room` tokens as possible.

    Neighbouring windows share exactly `stride` tokens. The windows of one sequence differ in size
    by at most one, so that no window is a stub without context. An empty sequence gets one empty window.
    """
    if not 0 <= stride < room:
        raise ConfigError(f"stride {stride} must be at least 0 and less than the {room} tokens of a window")
    lengths = np.asarray(lengths, dtype=np.int64)
    counts = np.maximum(1, -(-(lengths - stride) // (room - stride)))
    # k windows hold n tokens and k - 1 overlaps; share them out as evenly as whole tokens allow.
    size, longer = np.divmod(lengths + (counts - 1) * stride, counts)
    owners = np.repeat(np.arange(len(lengths)), counts)
    rank = np.arange(len(owners)) - np.repeat(np.cumsum(counts) - counts, counts)
    starts = rank * (size[owners] - stride) + np.minimum(rank, longer[owners])
    ends = starts + size[owners] + (rank < longer[owners])
    return Windows(owners, starts, ends)


def ragged(starts: Array, lengths: Array) -> Array:
    """The indices start, start + 1, ... of every run, one run after another."""
    begins = np.cumsum(lengths) - lengths
    tokens: Array = np.arange(lengths.sum()) + np.repeat(starts - begins, lengths)
    return tokens
