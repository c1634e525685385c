"""GloVe: vectors whose products are the logarithms of how often words stand near each other."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from gradatim.errors import ConfigError, DataError, check_sizes
from gradatim.text.hashing import Ints
from gradatim.types import Array
from gradatim.vectors.table import Floats32
from gradatim.vectors.updates import summed_by_row

TOKENS = 1 << 21  # words whose neighbours are counted at once
HELD = 1 << 26  # pairs counted before equal ones are added up
PAIRS = 256  # between two updates: their vectors stay in the cache
FLOOR = np.float32(1.0)  # of the squares summed by AdaGrad, as GloVe's code has it


@dataclass(frozen=True, slots=True, kw_only=True)
class Glove:
    """What is learned, and how (Pennington et al. 2014, sections 3 and 4.2).

    width    numbers of a vector
    window   words on each side that count; one k words away counts 1/k
    most     count from which on a pair weighs as much as any (x_max, eq. 9; 100 there, for billions of words), and the
             `power` below it
    rate     of AdaGrad
    """

    width: int = 100
    window: int = 10
    most: float = 10.0
    power: float = 0.75
    rate: float = 0.05
    epochs: int = 15
    seed: int = 0

    def __post_init__(self) -> None:
        check_sizes(self, "width", "window", "epochs")
        if not (self.most > 0 and self.power > 0 and self.rate > 0):
            raise ConfigError(f"most {self.most}, power {self.power} and rate {self.rate} must be above 0")

    def learn(
        self,
        ids: Ints,
        rows: Ints,
        counts: Ints,
        *,
        threads: int = 1,
        progress: Callable[[float], None] = lambda _share: None,
    ) -> Floats32:
        """Vectors (words, width), w + c, from word ids (tokens,) below len(counts), of sentences `rows` ascending.

        Minimises the sum over pairs of f(X) (w . c + b + b' - log X)^2 (eq. 8). Several threads update the same
        vectors without waiting for each other: with one alone the same seed gives the same vectors.
        """
        pairs = count_pairs(ids, rows, len(counts), self.window)
        if not len(pairs.counts):
            raise DataError("no two words stand near each other: there is nothing to learn vectors from")
        rng = np.random.default_rng(self.seed)
        run = _Run(self, pairs, len(counts), rng)
        for epoch in range(self.epochs):
            order = rng.permutation(run.num_blocks)

            def work(number: int, order: Ints = order, epoch: int = epoch) -> None:
                for done, block in enumerate(order[number::threads].tolist()):
                    run.update(block)
                    if not number and done % 64 == 0:
                        progress((epoch + done * threads / len(order)) / self.epochs)

            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(work, range(threads)))
        return run.vectors()


class Pairs(NamedTuple):
    """Pairs of words, the first no greater than the second, and how often they stand near each other."""

    first: Ints
    second: Ints
    counts: Floats32


def count_pairs(ids: Ints, rows: Ints, num_words: int, window: int) -> Pairs:
    """How often every two words stand within `window` words of one sentence, each time divided by their distance.

    Each of two words is counted beside the other, so a word beside itself twice, as in GloVe's code.
    """
    keys: list[Array] = []
    weights: list[Array] = []

    def settle() -> None:
        merged, places = np.unique(np.concatenate(keys), return_inverse=True)
        summed = np.bincount(places, np.concatenate(weights), minlength=len(merged))
        keys[:], weights[:] = [merged], [summed.astype(np.float32)]

    for begin in range(0, len(ids), TOKENS):
        for distance in range(1, window + 1):
            end = max(begin, min(begin + TOKENS, len(ids) - distance))
            here, there = slice(begin, end), slice(begin + distance, end + distance)
            together = rows[here] == rows[there]
            one, other = ids[here][together].astype(np.int64), ids[there][together]
            found, times = np.unique(
                np.minimum(one, other) * num_words + np.maximum(one, other), return_counts=True
            )
            keys.append(found)
            weights.append(times.astype(np.float32) / np.float32(distance))
            if sum(map(len, keys)) > HELD:
                settle()
    if not keys:
        none = np.zeros(0, dtype=np.int64)
        return Pairs(none, none, none.astype(np.float32))
    settle()
    first, second = np.divmod(keys[0], num_words)
    weights[0][first == second] *= 2
    return Pairs(first.astype(np.int32), second.astype(np.int32), weights[0])


class _Run:
    """The vectors while they are learned: in a row w and c of a word, side by side, so that a pair is read once."""

    def __init__(self, settings: Glove, pairs: Pairs, num_words: int, rng: np.random.Generator) -> None:
        self.settings = settings
        mixed = rng.permutation(len(pairs.counts))
        self.first, self.second, counts = (column[mixed] for column in pairs)
        self.logs = np.log(counts)
        self.shares = np.minimum(counts / np.float32(settings.most), 1) ** np.float32(settings.power)
        self.shares[self.first == self.second] /= (
            2  # else the step of a word beside itself would be taken twice
        )
        self.num_blocks = -(-len(counts) // PAIRS)
        width = settings.width
        drawn = rng.random((num_words, 2 * (width + 1)), dtype=np.float32)
        self.table: Floats32 = (drawn - np.float32(0.5)) / np.float32(width + 1)  # w, b, c, b'
        self.squares: Floats32 = np.full_like(self.table, FLOOR)

    def update(self, block: int) -> None:
        """One step of AdaGrad for some pairs, in both directions."""
        part = slice(block * PAIRS, (block + 1) * PAIRS)
        first, second = self.first[part], self.second[part]
        one, other = self.table[first], self.table[second]
        size = self.settings.width + 1
        d_one, d_other = np.empty_like(one), np.empty_like(other)
        halves = slice(0, size), slice(size, None)
        for word, context in (halves, halves[::-1]):
            w, c = one[:, word], other[:, context]
            product = np.einsum("ij,ij->i", w[:, :-1], c[:, :-1]) + w[:, -1] + c[:, -1]
            slope = self.shares[part] * (product - self.logs[part])
            np.multiply(c, slope[:, None], out=d_one[:, word])
            np.multiply(w, slope[:, None], out=d_other[:, context])
            d_one[:, word][:, -1] = d_other[:, context][:, -1] = slope
        self._descend(np.concatenate([first, second]), np.concatenate([d_one, d_other]))

    def _descend(self, rows: Ints, gradients: Floats32) -> None:
        rows, summed = summed_by_row(rows, gradients)
        squares = self.squares[rows]
        summed *= np.float32(self.settings.rate)  # before it is squared, as GloVe's code has it
        self.table[rows] -= summed / np.sqrt(squares)
        self.squares[rows] = squares + summed * summed

    def vectors(self) -> Floats32:
        """w + c (section 4.2)."""
        width = self.settings.width
        found: Floats32 = self.table[:, :width] + self.table[:, width + 1 : 2 * width + 1]
        return found
