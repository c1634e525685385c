"""Smoothing: what is taken from the n-grams that were seen, and how the rest is shared out.

    p(w | h) = (a - d(a)) / (sum a + k V) + g(h) p(w | h')     combined by interpolation
    p(w | h) = (a - d(a)) / (sum a + k V)  if h w was kept,  else  g(h) p(w | h')      by back-off

a is an n-gram's count or, below the highest order, the number of different words before it; h' is the
context h without its first word, V the number of words, and g makes each distribution sum to 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from gradatim.errors import ConfigError, did_you_mean
from gradatim.text.hashing import Ints
from gradatim.text.space import IN_MEMORY, Space

Floats = npt.NDArray[np.float64]

FALLBACK = (0.5, 1.0, 1.5)  # where the counts of counts cannot tell (as KenLM, Heafield 2011)
LARGEST = 5  # counts beyond are trusted as they are (Katz 1987)


@dataclass(frozen=True, slots=True, kw_only=True)
class Smoothing:
    """The axes along which the published methods differ.

    counts     plain, or below the highest order `continuations`
    discount   d(a) by count: none, `modified` (Chen & Goodman 1998), `good-turing` (Katz 1987)
    added      k, what is added to every count
    combine    how the shorter context comes in: `interpolate`, or `back off` where nothing was kept
    weight     a fixed g(h) in place of the one that sums to 1 (then scores are no probabilities);
               as in all back-off files, a context that was never seen has none and costs nothing
    shorter    what the rest is shared out by: the shorter `context`, or all words alike: `uniform`
    """

    counts: Literal["plain", "continuations"] = "plain"
    discount: Literal["none", "modified", "good-turing"] = "none"
    added: float = 0.0
    combine: Literal["interpolate", "back off"] = "interpolate"
    weight: float | None = None
    shorter: Literal["context", "uniform"] = "context"

    def __post_init__(self) -> None:
        if not 0 <= self.added < np.inf:
            raise ConfigError(f"what is added to every count must be at least 0, not {self.added}")

    @property
    def sums_to_one(self) -> bool:
        """Whether scores are probabilities, and a perplexity means something."""
        return self.weight is None

    def taken(self, n: Floats) -> Floats:
        """d(0..m) of `counts_of_counts`: what is taken from each count; all from m on give as much as m."""
        return DISCOUNTS[self.discount](n)


def named(name: str, *, add: float | None = None) -> Smoothing:
    """A published method; `add` is the k of add-k (1: Laplace, 0.5: Jeffreys). Raises ConfigError."""
    if name not in METHODS:
        raise ConfigError(
            f"unknown smoothing '{name}'{did_you_mean(name, METHODS)}; known: {', '.join(METHODS)}"
        )
    if add is not None and name != "add-k":
        raise ConfigError(f"'{name}' adds nothing to the counts: leave out add, or take add-k")
    if name == "add-k":
        return Smoothing(added=1.0 if add is None else add, shorter="uniform")
    return METHODS[name]


METHODS = {
    "kneser-ney": Smoothing(counts="continuations", discount="modified"),
    "katz": Smoothing(discount="good-turing", combine="back off"),
    "stupid": Smoothing(combine="back off", weight=0.4),  # Brants et al. 2007, section 4
    "add-k": Smoothing(added=1.0, shorter="uniform"),
    "mle": Smoothing(shorter="uniform"),
}


def counts_of_counts(counts: Ints, space: Space = IN_MEMORY) -> Floats:
    """n_0, n_1, ...: how many n-grams have each count, and in the last place how many a larger one."""
    most = LARGEST + 2
    n = np.zeros(most + 1)
    for block in space.blocks(len(counts)):
        n += np.bincount(np.minimum(counts[block], most), minlength=most + 1)
    return n


def modified(n: Floats) -> Floats:
    """D(0..3): what is taken from a count of 0, 1, 2, 3 or more (Chen & Goodman 1998, eq. 26).

    D_k = k - (k+1) Y n_{k+1}/n_k with Y = n1/(n1 + 2 n2), n_k being how many n-grams have count k.
    """
    result = np.array([0.0, *FALLBACK])
    if n[1] and n[2]:
        y = n[1] / (n[1] + 2 * n[2])
        for k in range(1, 4):
            if n[k]:
                d = k - (k + 1) * y * n[k + 1] / n[k]
                result[k] = d if 0 < d <= k else FALLBACK[k - 1]
    return result


def good_turing(n: Floats) -> Floats:
    """r - r d_r for r = 0..6, with Katz's d_r (Katz 1987, eq. 15): r* = (r+1) n_{r+1}/n_r, and nothing above 5.

    d_r = (r*/r - (K+1) n_{K+1}/n_1) / (1 - (K+1) n_{K+1}/n_1) with K = 5. Where a count of counts is 0, or
    d_r is no share, half a count is taken.

    Differs: a context of which nothing was taken gets one count for all that was not seen, as in SRILM.
    """
    taken = np.zeros(LARGEST + 2)
    taken[1 : LARGEST + 1] = FALLBACK[0]
    if n[1]:
        beyond = (LARGEST + 1) * n[LARGEST + 1] / n[1]
        for r in range(1, LARGEST + 1):
            share = ((r + 1) * n[r + 1] / (r * n[r]) - beyond) / (1 - beyond) if n[r] and beyond != 1 else 0
            if 0 < share < 1:
                taken[r] = r - r * share
    return taken


DISCOUNTS: dict[str, Callable[[Floats], Floats]] = {
    "none": lambda _n: np.zeros(1),
    "modified": modified,
    "good-turing": good_turing,
}
