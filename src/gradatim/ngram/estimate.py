"""From counts to a back-off model, one order after the other (Chen & Goodman 1998, sections 2 and 3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from gradatim.errors import ConfigError
from gradatim.ngram.counts import Bools, Level
from gradatim.ngram.smoothing import METHODS, Floats, Smoothing, counts_of_counts
from gradatim.ngram.table import LOG_ZERO, Entries, NgramTable
from gradatim.text.hashing import Ints
from gradatim.text.space import IN_MEMORY, Space

KNESER_NEY = METHODS["kneser-ney"]
ALL_KEPT = 1e-9  # less than this share of the shorter context's words was not kept: it was rounding


def estimate(
    levels: Sequence[Level],
    *,
    start: int,
    smoothing: Smoothing = KNESER_NEY,
    base: Floats | None = None,
    prune: Sequence[int] = (),
    space: Space = IN_MEMORY,
) -> NgramTable:
    """Estimate the model from counts.

    `base` (vocabulary,) is the distribution below the unigrams; default: uniform over all words but
    `start`. `prune[n-1]` drops n-grams of order n that occur at most so often; their probability
    goes to the shorter context, so all distributions still sum to 1. Thresholds must not decrease
    with the order and unigrams are never dropped.
    """
    thresholds = [*prune, *[prune[-1] if prune else 0] * (len(levels) - len(prune))]
    if thresholds[0] or any(low > high for low, high in pairwise(thresholds)):
        raise ConfigError(f"prune must begin with 0 and not decrease, not {list(prune)}")
    bottom = _uniform(len(levels[0]), start) if base is None else base
    entries: list[Entries] = []
    contexts = renumbered = np.zeros(1, dtype=np.int64)  # the empty context
    lower, backoff = bottom, 0.0
    for n, (level, threshold) in enumerate(zip(levels, thresholds, strict=True), start=1):
        keep = space.map(lambda c, least=threshold: c > least, level.counts, dtype=np.bool_)
        keep |= n == 1
        counts = _counts(level, smoothing, n, len(levels), space)
        if smoothing.shorter == "uniform" or n == 1:
            below = space.map(lambda words: bottom[words], level.words, dtype=np.float64)
        else:
            below = space.map(lambda at, p=lower: p[at], level.suffixes, dtype=np.float64)
        added = smoothing.added * (len(levels[0]) - 1)
        working = _Level(level.prefixes, counts, keep, below, len(renumbered), added, space)
        lower, weights = working.distribute(smoothing)
        logs = space.map(lambda at, g=weights: _log(g[at]), contexts, dtype=np.float64)
        if entries:
            entries[-1] = replace(entries[-1], backoffs=logs)
        else:
            backoff = float(logs[0])
        kept, contexts = _kept(level, lower, keep, renumbered, space)
        entries.append(kept)
        renumbered = _numbers(keep, space)
    return NgramTable(tuple(entries), start, backoff)


def _counts(level: Level, smoothing: Smoothing, n: int, order: int, space: Space) -> Ints:
    """The counts that the method works with; 0 where it has none of this order."""
    if smoothing.shorter == "uniform" and n < order:  # only what has no longer context counts: openings
        return space.map(lambda c, first: c * (first & (n > 1)), level.counts, level.opening, dtype=np.int64)
    if smoothing.counts == "continuations" or n == 1 == order:
        return level.continuations
    if n == 1:
        return np.where(level.opening, 0, level.counts)
    return level.counts


@dataclass(frozen=True, slots=True)
class _Level:
    """One order at work: its counts, which n-grams are kept, p(w | h') of each, and its contexts."""

    prefixes: Ints
    counts: Ints
    keep: Bools
    below: Floats
    num_contexts: int
    added: float  # to all counts of a context together
    space: Space

    def distribute(self, smoothing: Smoothing) -> tuple[Floats, Floats]:
        """p(w | h) of every n-gram, kept or not, and g(h) of every context."""
        taken = smoothing.taken(counts_of_counts(self.counts, self.space))
        total, weights = self._contexts(smoothing, taken)
        result = self.space.zeros(len(self.counts), np.float64)
        for block in self.space.blocks(len(result)):
            a, at, keep = self.counts[block], self.prefixes[block], self.keep[block]
            rest = weights[at] * self.below[block]
            seen = np.where(keep, a - taken[np.minimum(a, len(taken) - 1)], 0.0) / np.maximum(
                total[at], 1e-300
            )
            if smoothing.combine == "interpolate":
                result[block] = seen + rest
            else:
                result[block] = np.where(keep & (a > 0), seen, rest)
        return result, weights

    def _contexts(self, smoothing: Smoothing, taken: Floats) -> tuple[Floats, Floats]:
        """What the counts of each context are divided by, and g."""
        total, free, covered = (self.space.zeros(self.num_contexts, np.float64) for _ in range(3))
        for block in self.space.blocks(len(self.counts)):
            a, first = self.counts[block], int(self.prefixes[block.start])
            seen = self.keep[block] & (a > 0)
            left = np.where(seen, taken[np.minimum(a, len(taken) - 1)], a)
            for sums, values in ((total, a), (free, left), (covered, np.where(seen, self.below[block], 0.0))):
                part = np.bincount(self.prefixes[block] - first, weights=values)
                sums[first : first + len(part)] += part
        weights = self.space.zeros(self.num_contexts, np.float64)
        for block in self.space.blocks(self.num_contexts):
            nothing, others = total[block] == 0, 1 - covered[block]
            added = np.full_like(others, self.added)
            if smoothing.discount == "good-turing":
                added += (free[block] == 0) & ~nothing
            total[block] += added
            share = (free[block] + added) / np.maximum(total[block], 1e-300)
            if smoothing.weight is not None:
                share[:] = smoothing.weight
            elif smoothing.combine == "back off":
                full = others < ALL_KEPT  # nothing is left to back off to: what was kept gets it all
                total[block] *= np.where(full, 1 - share, 1.0)
                share = np.where(full, 0.0, share / np.maximum(others, ALL_KEPT))
            weights[block] = np.where(nothing, 1.0, share)
        return total, weights


def _kept(level: Level, p: Floats, keep: Bools, renumbered: Ints, space: Space) -> tuple[Entries, Ints]:
    """The n-grams that stay, as entries without weights, and their numbers in the level."""
    total = sum(int(np.count_nonzero(keep[block])) for block in space.blocks(len(keep)))
    numbers, prefixes, words = (space.zeros(total, np.int64) for _ in range(3))
    log_probs, end = space.zeros(total, np.float64), 0
    for block in space.blocks(len(level)):
        at = np.flatnonzero(keep[block]) + block.start
        here = slice(end, end + len(at))
        numbers[here], words[here] = at, level.words[at]
        prefixes[here], log_probs[here] = renumbered[level.prefixes[at]], _log(p[at])
        end = here.stop
    return Entries(prefixes, words, log_probs, space.zeros(total, np.float64)), numbers


def _numbers(keep: Bools, space: Space) -> Ints:
    """For what is kept, its number among the kept."""
    numbers, before = space.zeros(len(keep), np.int64), 0
    for block in space.blocks(len(keep)):
        numbers[block] = np.cumsum(keep[block]) - 1 + before
        before += int(np.count_nonzero(keep[block]))
    return numbers


def _uniform(vocabulary: int, start: int) -> Floats:
    base = np.full(vocabulary, 1.0 / max(vocabulary - 1, 1))
    base[start] = 0.0
    return base


def _log(p: Floats) -> Floats:
    return np.where(p > 0, np.log(np.maximum(p, np.finfo(float).tiny)), LOG_ZERO)
