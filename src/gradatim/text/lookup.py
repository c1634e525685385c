"""Where a 64-bit key stands in an array, for many keys at once: keys kept in the order of their hash, in buckets."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from gradatim.text.hashing import Ints
from gradatim.text.space import IN_MEMORY, Space
from gradatim.types import Array

Keys = npt.NDArray[np.uint64]

ODD = np.uint64(0x9E3779B97F4A7C15)  # multiplying by it carries every bit upwards (Knuth 1973, section 6.4)
PER_BUCKET = 2  # keys on average: neighbours are one access to memory


@dataclass(frozen=True, slots=True)
class Lookup:
    """Distinct `keys` (n,) by the top bits of their hash; bucket b is `keys[first[b] : first[b + 1]]`."""

    keys: Keys
    first: npt.NDArray[np.uint32]

    @classmethod
    def build(cls, keys: Keys, space: Space = IN_MEMORY) -> tuple[Lookup, Ints]:
        """The look-up of these keys, and for each place of it the number of its key."""
        bits = max(1, (len(keys) // PER_BUCKET).bit_length())
        buckets = space.map(lambda part: _buckets(part, bits), keys, dtype=np.uint32)
        sizes = np.zeros(1 << bits, dtype=np.int64)
        for block in space.blocks(len(keys)):
            sizes += np.bincount(buckets[block], minlength=len(sizes))
        first = np.concatenate(([0], np.cumsum(sizes)))
        order = space.zeros(len(keys), np.int64)
        edges = np.searchsorted(first, np.arange(0, len(keys), space.block))
        for begin, end in pairwise([*np.unique(edges).tolist(), len(sizes)]):
            order[first[begin] : first[end]] = _members(buckets, begin, end, space)
        return cls(space.map(lambda at: keys[at], order, dtype=np.uint64), first.astype(np.uint32)), order

    def __len__(self) -> int:
        return len(self.keys)

    def find(self, wanted: Keys) -> Ints:
        """The place of each wanted key, -1 where it is none of ours."""
        if not len(self.keys):
            return np.full(len(wanted), -1)
        bucket = _buckets(wanted, (len(self.first) - 1).bit_length() - 1)
        at = self.first.take(bucket).astype(np.int64)
        hit = self.keys.take(at, mode="clip") == wanted
        found = np.where(hit, at, -1)
        left = np.flatnonzero(~hit)
        at, wanted, ends = at.take(left), wanted.take(left), self.first.take(bucket.take(left) + 1)
        while len(left):
            at += 1
            inside = np.flatnonzero(at < ends)
            left, at, ends, wanted = _taken(inside, left, at, ends, wanted)
            hit = self.keys.take(at) == wanted
            found[left[hit]] = at[hit]
            missed = np.flatnonzero(~hit)
            left, at, ends, wanted = _taken(missed, left, at, ends, wanted)
        return found


def _taken(at: Ints, *arrays: Array) -> list[Array]:
    return [array.take(at) for array in arrays]


def pair_keys(prefixes: Array, words: Array) -> Keys:
    """prefix << 32 | word: what names an n-gram by the number of its prefix and its last word."""
    keys: Keys = prefixes.astype(np.uint64) << np.uint64(32)
    keys |= words.astype(np.uint64)
    return keys


def _buckets(keys: Keys, bits: int) -> Ints:
    return ((keys * ODD) >> np.uint64(64 - bits)).view(np.int64)


def _members(buckets: npt.NDArray[np.uint32], begin: int, end: int, space: Space) -> Ints:
    """The numbers of the keys in buckets begin..end-1, by bucket, gathered from wherever they lie."""
    found = []
    for block in space.blocks(len(buckets)):
        part = buckets[block]
        found.append(np.flatnonzero((part >= begin) & (part < end)) + block.start)
    numbers = np.concatenate(found)
    ordered: Ints = numbers[np.argsort(buckets[numbers], kind="stable")]
    return ordered


def distinct(keys: Keys, *, stable: bool = False) -> tuple[Keys, Ints, Ints, Ints]:
    """The different keys in order, of each a place where it stands (the first if `stable`) and how often it does,
    and of each place the number of its key."""
    order = np.argsort(keys, kind="stable" if stable else None)
    keys = keys[order]
    new = np.ones(len(keys), dtype=bool)
    new[1:] = keys[1:] != keys[:-1]
    first = np.flatnonzero(new)
    inverse = np.empty(len(keys), dtype=np.int64)
    inverse[order] = np.cumsum(new) - 1
    return keys[first], order[first], np.diff(first, append=len(keys)), inverse
