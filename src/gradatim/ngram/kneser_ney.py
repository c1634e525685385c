"""Interpolated modified Kneser-Ney smoothing (Kneser & Ney 1995; Chen & Goodman 1998, section 3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from gradatim.errors import ConfigError
from gradatim.ngram.counts import Ints, Level
from gradatim.ngram.table import Entries, Floats, NgramTable

LOG_ZERO = -99.0 * np.log(10.0)  # how ARPA files write the probability 0
FALLBACK = (0.5, 1.0, 1.5)  # where the counts of counts cannot tell (as KenLM, Heafield 2011)


def estimate(
    levels: Sequence[Level], *, start: int, base: Floats | None = None, prune: Sequence[int] = ()
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
    lower = _uniform(len(levels[0]), start) if base is None else base
    entries: list[Entries] = []
    contexts, renumbered = np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64)  # the empty context
    backoff = 0.0
    for level, threshold in zip(levels, thresholds, strict=True):
        keep = (level.counts > threshold) | (not entries)
        direct, free = _discount(level, keep, len(renumbered))
        probabilities = direct + free[level.prefixes] * lower[level.suffixes if entries else level.words]
        weights = _log(free[contexts])
        if entries:
            entries[-1] = replace(entries[-1], backoffs=weights)
        else:
            backoff = float(weights[0])
        prefixes, words = renumbered[level.prefixes[keep]], level.words[keep]
        entries.append(Entries(prefixes, words, _log(probabilities[keep]), np.zeros(len(words))))
        contexts, renumbered, lower = np.flatnonzero(keep), np.cumsum(keep) - 1, probabilities
    return NgramTable(tuple(entries), start, backoff)


def discounts(adjusted: Ints) -> Floats:
    """D(0..3): what is taken from an adjusted count of 0, 1, 2, 3 or more (Chen & Goodman 1998, eq. 26).

    D_k = k - (k+1) Y n_{k+1}/n_k with Y = n1/(n1 + 2 n2), n_k being how many n-grams have count k.
    """
    n = np.bincount(np.minimum(adjusted, 5), minlength=6).astype(np.float64)
    result = np.array([0.0, *FALLBACK])
    if n[1] and n[2]:
        y = n[1] / (n[1] + 2 * n[2])
        for k in range(1, 4):
            if n[k]:
                d = k - (k + 1) * y * n[k + 1] / n[k]
                result[k] = d if 0 < d <= k else FALLBACK[k - 1]
    return result


def _discount(level: Level, keep: npt.NDArray[np.bool_], num_contexts: int) -> tuple[Floats, Floats]:
    """Each n-gram's discounted relative frequency and each context's weight for the shorter one."""
    taken = discounts(level.adjusted)[np.minimum(level.adjusted, 3)]
    total = np.bincount(level.prefixes, weights=level.adjusted, minlength=num_contexts)
    free = np.bincount(level.prefixes, weights=np.where(keep, taken, level.adjusted), minlength=num_contexts)
    seen = np.maximum(total, 1)
    direct = np.where(keep, level.adjusted - taken, 0.0) / seen[level.prefixes]
    return direct, np.where(total > 0, free / seen, 1.0)


def _uniform(vocabulary: int, start: int) -> Floats:
    base = np.full(vocabulary, 1.0 / max(vocabulary - 1, 1))
    base[start] = 0.0
    return base


def _log(p: Floats) -> Floats:
    return np.where(p > 0, np.log(np.maximum(p, np.finfo(float).tiny)), LOG_ZERO)
