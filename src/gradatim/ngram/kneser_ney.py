"""Interpolated modified Kneser-Ney smoothing (Kneser & Ney 1995; Chen & Goodman 1998, section 3)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

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
    if thresholds[0] or any(a > b for a, b in zip(thresholds[:-1], thresholds[1:], strict=True)):
        raise ConfigError(f"prune must begin with 0 and not decrease, not {list(prune)}")
    lower = _uniform(len(levels[0]), start) if base is None else base
    kept = np.zeros(1, dtype=np.int64)  # new numbers of the contexts; the empty one is number 0
    probabilities: list[Floats] = []
    backoffs: list[Floats] = []
    shapes: list[tuple[Ints, Ints]] = []
    for level, threshold in zip(levels, thresholds, strict=True):
        keep = level.counts > threshold if shapes else np.ones(len(level), dtype=bool)
        direct, gamma = _discount(level, keep, len(lower) if shapes else 1)
        p = direct + gamma[level.prefixes] * (lower[level.suffixes] if shapes else lower)
        probabilities.append(_log(p[keep]))
        shapes.append((kept[level.prefixes[keep]], level.words[keep]))
        backoffs.append(_log(gamma) if not backoffs else _log(gamma)[previous])
        kept, previous, lower = np.cumsum(keep) - 1, np.flatnonzero(keep), p
    backoffs.append(np.zeros(len(previous)))
    entries = zip(shapes, probabilities, backoffs[1:], strict=True)
    return NgramTable(tuple(Entries(*shape, p, b) for shape, p, b in entries), start, float(backoffs[0][0]))


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


def _discount(level: Level, keep: np.ndarray, num_contexts: int) -> tuple[Floats, Floats]:
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
