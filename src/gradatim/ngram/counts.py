"""Counting n-grams of every order, exactly, with sorted integer arrays: in memory, or block by block on disk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from gradatim.errors import ConfigError
from gradatim.text.hashing import Ints
from gradatim.text.lookup import Keys, distinct, pair_keys
from gradatim.text.space import IN_MEMORY, Space

Bools = npt.NDArray[np.bool_]

HIGHEST = 255
MOST = 1 << 31  # n-grams of one order: their numbers have 32 bits


@dataclass(frozen=True, slots=True)
class Level:
    """The distinct n-grams of one order n, sorted by prefix, then last word.

    `prefixes` and `suffixes` number, in the level of order n - 1, the n-gram without its last and
    without its first word; `words` is the last word's id; `counts` how often the n-gram occurs;
    `continuations` how many different words come before it, but its plain count where it begins a
    sentence (`opening`) or n is the highest order. Level 1 lists the whole vocabulary, so that an
    n-gram's number there is its word id; the start of a sentence is never predicted and counts 0.
    """

    prefixes: Ints
    words: Ints
    suffixes: Ints
    counts: Ints
    continuations: Ints
    opening: Bools

    def __len__(self) -> int:
        return len(self.words)


def count_ngrams(
    ids: Ints, *, vocabulary: int, start: int, order: int, space: Space = IN_MEMORY
) -> list[Level]:
    """Count all n-grams of 1..order words; n-grams do not reach across a sentence start.

    `ids` (tokens,) are word ids below `vocabulary`; each sentence begins with the id `start` and
    ends with an end-of-sentence word of the caller's choice. What is larger than a block of `space`
    is sorted in runs, which are merged. Raises ConfigError for an order below 1 and ids out of range.
    """
    if not 1 <= order <= HIGHEST:
        raise ConfigError(f"order must be at least 1 and at most {HIGHEST}, not {order}")
    if len(ids) and (ids.min() < 0 or ids.max() >= vocabulary or ids[0] != start):
        raise ConfigError(
            f"word ids must lie in 0..{vocabulary - 1} and the first must be the start id {start}"
        )
    levels = [_unigrams(ids, vocabulary, start, space)]
    depth = _depths(ids, start, order, space)
    numbers = ids
    for n in range(2, order + 1):
        runs, inverse = _sorted_runs(ids, numbers, depth, n, space)
        merged = _merged(runs, space)
        level = _level(merged, space)
        if len(level) >= MOST:
            raise ConfigError(f"more than {MOST:,} different n-grams of {n} words: take a lower order")
        continued = _continuations(levels[-1], level.suffixes, start, space)
        levels[-1] = replace(levels[-1], continuations=continued)
        levels.append(level)
        if n < order:
            numbers = _numbered(merged.keys, runs, inverse, depth, n, space)
    return levels


def sentence_depth(starts: Bools) -> Ints:
    """How many tokens lie between each token and the latest sentence start; 0 at the start itself."""
    place = np.arange(len(starts))
    return place - np.maximum.accumulate(np.where(starts, place, 0))


@dataclass(frozen=True, slots=True)
class Run:
    """Sorted keys, prefix << 32 | word, with what is known of the n-gram of each."""

    keys: Keys
    suffixes: Ints
    counts: Ints
    opening: Bools

    def __len__(self) -> int:
        return len(self.keys)

    @classmethod
    def zeros(cls, size: int, space: Space) -> Run:
        """A run to be filled."""
        return cls(*(space.zeros(size, kind) for kind in (np.uint64, np.int64, np.int64, np.bool_)))

    def __getitem__(self, part: slice) -> Run:
        return Run(self.keys[part], self.suffixes[part], self.counts[part], self.opening[part])


def _merged(runs: list[Run], space: Space) -> Run:
    """All runs as one level, equal keys added up. What fits into a block together is sorted together."""
    if len(runs) == 1:
        return runs[0]
    merged, end = Run.zeros(sum(map(len, runs)), space), 0
    for slices in _parts(runs, space.block):
        parts = [run[part] for run, part in zip(runs, slices, strict=True)]
        keys, first, _, inverse = distinct(np.concatenate([part.keys for part in parts]))
        counts = np.concatenate([part.counts for part in parts])
        here = merged[end : end + len(keys)]
        here.keys[:] = keys
        here.counts[:] = np.bincount(inverse, weights=counts, minlength=len(keys))
        here.suffixes[:] = np.concatenate([part.suffixes for part in parts])[first]
        here.opening[:] = np.concatenate([part.opening for part in parts])[first]
        end += len(keys)
    return merged[:end]


def _parts(runs: list[Run], block: int) -> Iterator[list[slice]]:
    """Ranges of keys of about a block of entries each, as the slices of all runs that hold them."""
    stride = max(1, block // (4 * len(runs)))
    samples = np.sort(np.concatenate([run.keys[::stride] for run in runs]))
    splitters = samples[:: max(1, block // (2 * stride))][1:]
    begins = [0] * len(runs)
    for splitter in [*splitters, None]:
        ends = [len(run) if splitter is None else int(np.searchsorted(run.keys, splitter)) for run in runs]
        yield [slice(*ends_of) for ends_of in zip(begins, ends, strict=True)]
        begins = ends


def _level(run: Run, space: Space) -> Level:
    prefixes = space.map(lambda keys: keys >> np.uint64(32), run.keys, dtype=np.int64)
    words = space.map(lambda keys: keys & np.uint64(0xFFFFFFFF), run.keys, dtype=np.int64)
    return Level(prefixes, words, run.suffixes, run.counts, run.counts, run.opening)


def _unigrams(ids: Ints, vocabulary: int, start: int, space: Space) -> Level:
    counts = np.zeros(vocabulary, dtype=np.int64)
    for block in space.blocks(len(ids)):
        counts += np.bincount(ids[block], minlength=vocabulary)
    every, none = np.arange(vocabulary), np.zeros(vocabulary, dtype=np.int64)
    return Level(none, every, none, counts, np.where(every == start, 0, counts), every == start)


def _depths(ids: Ints, start: int, order: int, space: Space) -> Ints:
    """`sentence_depth`, at most `order`."""
    depth, before = space.zeros(len(ids), np.uint8), 0
    for block in space.blocks(len(ids)):
        starts = ids[block] == start
        place = np.arange(1, len(starts) + 1) + before  # as if the block before went on
        last = np.maximum.accumulate(np.where(starts, place, 0))
        depth[block] = np.minimum(place - last, order)
        before = int(place[-1] - last[-1])
    return depth


def _places(depth: Ints, n: int, block: slice) -> Ints:
    """The tokens of a block with which an n-gram ends."""
    places: Ints = np.flatnonzero(depth[block] >= n - 1) + block.start
    return places


def _sorted_runs(ids: Ints, numbers: Ints, depth: Ints, n: int, space: Space) -> tuple[list[Run], Ints]:
    """One run per block of tokens, and for each token the place of its n-gram in the run."""
    inverse = space.zeros(len(ids), np.int32)
    whole = Run.zeros(len(ids), space)
    runs = []
    for block in space.blocks(len(ids)):
        at = _places(depth, n, block)
        keys, first, counts, inverse[at] = distinct(pair_keys(numbers[at - 1], ids[at]))
        run = whole[block.start : block.start + len(keys)]
        run.keys[:], run.counts[:] = keys, counts
        run.suffixes[:], run.opening[:] = numbers[at[first]], depth[at[first]] == n - 1
        runs.append(run)
    return runs or [whole], inverse


def _numbered(keys: Keys, runs: list[Run], inverse: Ints, depth: Ints, n: int, space: Space) -> Ints:
    """For each token with which an n-gram ends, the number of that n-gram."""
    numbers = space.zeros(len(depth), np.int32)
    for run, block in zip(runs, space.blocks(len(depth)), strict=False):
        at = _places(depth, n, block)
        place = np.searchsorted(keys, run.keys) if len(runs) > 1 else np.arange(len(run))
        numbers[at] = place[inverse[at]]
    return numbers


def _continuations(level: Level, suffixes: Ints, start: int, space: Space) -> Ints:
    """How many n-grams of the order above end in each, but the plain count of what opens a sentence."""
    found = space.zeros(len(level), np.int64)
    for block in space.blocks(len(suffixes)):
        _, first, counts, _ = distinct(suffixes[block].astype(np.uint64))
        found[suffixes[block][first]] += counts
    for block in space.blocks(len(level)):
        opening = level.opening[block] & (level.words[block] != start)
        found[block] = np.where(opening, level.counts[block], found[block])
    continued: Ints = found
    return continued
