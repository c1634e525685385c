"""Counting n-grams of every order at once, exactly, with sorted integer arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gradatim.errors import ConfigError

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Level:
    """The distinct n-grams of one order n, sorted by prefix, then last word.

    `prefixes` and `suffixes` number, in the level of order n - 1, the n-gram without its last and
    without its first word; `words` is the last word's id; `counts` how often the n-gram occurs;
    `adjusted` the count Kneser-Ney smoothing works with. Level 1 lists the whole vocabulary, so
    that an n-gram's number there is its word id.
    """

    prefixes: Ints
    words: Ints
    suffixes: Ints
    counts: Ints
    adjusted: Ints

    def __len__(self) -> int:
        return len(self.words)


def count_ngrams(ids: Ints, *, vocabulary: int, start: int, order: int) -> list[Level]:
    """Count all n-grams of 1..order words; n-grams do not reach across a sentence start.

    `ids` (tokens,) are word ids below `vocabulary`; each sentence begins with the id `start` and
    ends with an end-of-sentence word of the caller's choice. The adjusted count of an n-gram below
    the highest order is the number of distinct words before it (Kneser & Ney 1995), or its plain
    count where it begins a sentence; `start` itself is never predicted and counts 0.
    """
    if order < 1:
        raise ConfigError(f"order must be at least 1, not {order}")
    if len(ids) and (ids.min() < 0 or ids.max() >= vocabulary or ids[0] != start):
        raise ConfigError(
            f"word ids must lie in 0..{vocabulary - 1} and the first must be the start id {start}"
        )
    depth = sentence_depth(ids == start)
    every = np.arange(vocabulary)
    raw = [
        _Raw(
            np.zeros_like(every),
            every,
            np.zeros_like(every),
            np.bincount(ids, minlength=vocabulary),
            every == start,
        )
    ]
    numbers = ids
    for n in range(2, order + 1):
        at = np.flatnonzero(depth >= n - 1)
        pairs = numbers[at - 1] << 32 | ids[at]
        distinct, first, inverse, counts = np.unique(
            pairs, return_index=True, return_inverse=True, return_counts=True
        )
        opening = depth[at[first]] == n - 1
        raw.append(_Raw(distinct >> 32, distinct & 0xFFFFFFFF, numbers[at[first]], counts, opening))
        numbers = np.full(len(ids), -1)
        numbers[at] = inverse
    return [_adjust(level, above, start) for level, above in zip(raw, [*raw[1:], None], strict=True)]


def sentence_depth(starts: npt.NDArray[np.bool_]) -> Ints:
    """How many tokens lie between each token and the latest sentence start; 0 at the start itself."""
    place = np.arange(len(starts))
    return place - np.maximum.accumulate(np.where(starts, place, 0))


@dataclass(frozen=True, slots=True)
class _Raw:
    prefixes: Ints
    words: Ints
    suffixes: Ints
    counts: Ints
    opening: npt.NDArray[np.bool_]  # begins a sentence


def _adjust(level: _Raw, above: _Raw | None, start: int) -> Level:
    adjusted = level.counts
    if above is not None:
        continuations = np.bincount(above.suffixes, minlength=len(level.words))
        adjusted = np.where(level.opening, level.counts, continuations)
    adjusted = np.where(level.words == start, 0, adjusted)
    return Level(level.prefixes, level.words, level.suffixes, level.counts, adjusted)
