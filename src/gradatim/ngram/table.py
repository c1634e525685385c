"""A back-off n-gram model as arrays: what an ARPA file holds, and how to look probabilities up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gradatim.ngram.counts import sentence_depth
from gradatim.text.hashing import Ints
from gradatim.text.lookup import Keys, pair_keys

Floats = npt.NDArray[np.float64]

LOG_ZERO = -99.0 * np.log(10.0)  # how ARPA files write the probability 0
BLOCK = 1 << 18  # n-grams searched together: a whole order may be larger than memory


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
        depth = sentence_depth(ids == self.start)
        found = [ids]
        for n, level in enumerate(self.levels[1:], start=2):
            numbers = np.full(len(ids), -1)
            at = np.flatnonzero(depth >= n - 1)
            at = at[found[-1][at - 1] >= 0]
            numbers[at] = _numbers(level, pair_keys(found[-1][at - 1], ids[at]))
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


def _numbers(level: Entries, wanted: Keys) -> Ints:
    """The number of the n-gram with each key, -1 where there is none; keys are made of the blocks that are searched."""
    order = np.argsort(wanted)
    ordered, numbers = wanted[order], np.full(len(wanted), -1)
    for start in range(0, len(level), BLOCK):
        part = slice(start, min(start + BLOCK, len(level)))
        ends = [part.start, part.stop - 1]
        low, high = pair_keys(level.prefixes[ends], level.words[ends])
        here = slice(np.searchsorted(ordered, low), np.searchsorted(ordered, high, side="right"))
        if here.start == here.stop:
            continue
        keys = pair_keys(level.prefixes[part], level.words[part])
        place = np.searchsorted(keys, ordered[here])
        numbers[order[here]] = np.where(keys[place] == ordered[here], place + start, -1)
    return numbers
