"""How little of a language a corpus shows: what share of n-grams was never seen, and what that does to sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gradatim.ngram.counts import Level, sentence_depth
from gradatim.ngram.table import Entries, NgramTable
from gradatim.text.hashing import Ints
from gradatim.text.space import IN_MEMORY, Space
from gradatim.text.vocabulary import START


@dataclass(frozen=True, slots=True)
class Sparsity:
    """Of one order: different n-grams, how many occurred once, and what share the next ones unseen should have.

    `expected` is n_1 / N, Good and Turing's estimate (Good 1953). With text held out, `unseen` is the share of
    its n-grams that were never seen, and `impossible` that of its sentences with at least one, to which
    maximum likelihood gives the probability 0.
    """

    ngrams: int
    once: int
    expected: float
    unseen: float | None = None
    impossible: float | None = None


def sparsity(levels: Sequence[Level], ids: Ints | None = None, space: Space = IN_MEMORY) -> list[Sparsity]:
    """By order; `ids` is text held out, framed sentences in the same vocabulary."""
    found = _unseen(levels, ids) if ids is not None and len(ids) else []
    result = []
    for n, level in enumerate(levels):
        distinct = once = total = 0
        for block in space.blocks(len(level)):
            counts = level.counts[block] * (level.words[block] != START)
            distinct += int(np.count_nonzero(counts))
            once += int(np.count_nonzero(counts == 1))
            total += int(counts.sum())
        shares = found[n] if found else (None, None)
        result.append(Sparsity(distinct, once, once / max(1, total), *shares))
    return result


def _unseen(levels: Sequence[Level], ids: Ints) -> list[tuple[float, float]]:
    """Shares of unseen n-grams and of sentences with one, by order; near a start n-grams are as long as they can be."""
    none = np.zeros(0)
    table = NgramTable(
        tuple(Entries(level.prefixes, level.words, none, none) for level in levels), START, 0.0
    )
    predicted = ids != START
    depth = sentence_depth(~predicted)
    sentence = np.cumsum(~predicted) - 1
    seen = predicted & (levels[0].counts[ids] > 0)
    shares = []
    for n, numbers in enumerate(table.find(ids), start=1):
        if n > 1:
            seen = np.where(depth >= n - 1, numbers >= 0, seen)
        missing = predicted & ~seen
        hit = np.bincount(sentence, weights=missing) > 0
        shares.append((float(missing.sum() / predicted.sum()), float(hit.mean())))
    return shares
