"""A back-off n-gram model as arrays: what an ARPA file holds, and how to look probabilities up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gradatim.ngram.counts import sentence_depth
from gradatim.text.hashing import Ints

Floats = npt.NDArray[np.float64]

LOG_ZERO = -99.0 * np.log(10.0)  # how ARPA files write the probability 0


@dataclass(frozen=True, slots=True)
class Entries:
    """The n-grams of one order, sorted by prefix, then last word (both as in `counts.Level`).

    `log_probs` is ln p(last word | the words before it); `backoffs` is ln of the weight that the
    shorter context's probabilities get after this n-gram (0 where nothing followed it).
    """

    prefixes: Ints
    words: Ints
    log_probs: Floats
    backoffs: Floats

    def __len__(self) -> int:
        return len(self.words)

    @property
    def pairs(self) -> tuple[Ints, Ints]:
        """What names an n-gram: its prefix and its last word."""
        return self.prefixes, self.words


@dataclass(frozen=True, slots=True)
class NgramTable:
    """An n-gram model: entries for orders 1..n over word ids; `start` opens every sentence.

    `backoff` is ln of the weight that the base distribution got in the unigrams.
    """

    levels: tuple[Entries, ...]
    start: int
    backoff: float

    @property
    def order(self) -> int:
        """Words per n-gram of the highest order."""
        return len(self.levels)

    def find(self, ids: Ints) -> list[Ints]:
        """For each order, the number of the n-gram that ends at each token; -1 where there is none."""
        ids = ids.astype(np.int64, copy=False)  # 32 bits would not hold a pair
        depth = sentence_depth(ids == self.start)
        found = [ids]
        for n, level in enumerate(self.levels[1:], start=2):
            numbers = np.full(len(ids), -1)
            at = np.flatnonzero(depth >= n - 1)
            at = at[found[-1][at - 1] >= 0]
            if len(level.words):
                pairs = level.prefixes << 32 | level.words
                wanted = found[-1][at - 1] << 32 | ids[at]
                place = np.minimum(np.searchsorted(pairs, wanted), len(pairs) - 1)
                numbers[at] = np.where(pairs[place] == wanted, place, -1)
            found.append(numbers)
        return found

    def log_probs(self, ids: Ints) -> Floats:
        """ln p(token | the tokens before it in its sentence), (tokens,); 0 at each sentence start."""
        found = self.find(ids)
        result = self.levels[0].log_probs[ids]
        for below, level, contexts, numbers in zip(
            self.levels, self.levels[1:], found, found[1:], strict=False
        ):
            before = np.concatenate(([-1], contexts[:-1]))
            result[before >= 0] += below.backoffs[before[before >= 0]]
            result[numbers >= 0] = level.log_probs[numbers[numbers >= 0]]
        result[ids == self.start] = 0
        return result

    def perplexity(self, ids: Ints) -> float:
        """exp of the mean negative log-probability of all tokens but the sentence starts."""
        return float(np.exp(-self.log_probs(ids).sum() / np.count_nonzero(ids != self.start)))
