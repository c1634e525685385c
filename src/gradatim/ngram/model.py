"""An n-gram model for use: a few bytes an n-gram, mapped from its file, and many sentences scored at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from gradatim.ngram.counts import sentence_depth
from gradatim.ngram.stepper import NgramStepper
from gradatim.ngram.table import LOG_ZERO, Entries, NgramTable
from gradatim.text.hashing import Ints
from gradatim.text.lookup import Lookup, pair_keys
from gradatim.text.space import IN_MEMORY, Space
from gradatim.text.vocabulary import END, START, UNKNOWN, Vocabulary
from gradatim.types import Array

Codes = npt.NDArray[np.uint16]
Floats32 = npt.NDArray[np.float32]
KINDS = {"keys": "<u8", "first": "<u4", "log_probs": "<u2", "backoffs": "<u2"}  # of the arrays of an order
CODES = 1 << 16  # the last one is the probability 0
NEAR = 1e-2  # of a sum of probabilities to 1: codes are a little off, stupid back-off gives up to 0.4 more
WORD = np.uint64(0xFFFFFFFF)
SHIFT = np.uint64(32)


@dataclass(frozen=True, slots=True)
class Steps:
    """Numbers from `low` to `high` as 16-bit codes: at most (high - low) / 131,068 off."""

    low: float
    high: float

    @classmethod
    def of(cls, values: Array, space: Space) -> Steps:
        """The range of these numbers, zero probabilities apart."""
        ends = [(0.0, 0.0)] if not len(values) else []
        for block in space.blocks(len(values)):
            some = values[block][values[block] > LOG_ZERO]
            ends += [(float(some.min()), float(some.max()))] if len(some) else []
        return cls(min(low for low, _ in ends), max(high for _, high in ends)) if ends else cls(0.0, 0.0)

    def codes(self, values: Array) -> Codes:
        """The code of each number."""
        step = max(self.high - self.low, 1e-30) / (CODES - 2)
        codes = np.rint((np.maximum(values, self.low) - self.low) / step)
        return np.where(values > LOG_ZERO, codes, CODES - 1).astype(np.uint16)

    def values(self) -> Floats32:
        """The number of each code."""
        return np.append(np.linspace(self.low, self.high, CODES - 1), LOG_ZERO).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Packed:
    """The n-grams of one order, n > 1, numbered in the order of their hashes: key = prefix << 32 | last word.

    With `closed` the n-gram without its first word is always among those of the order below.
    """

    lookup: Lookup
    codes: tuple[Codes, Codes]  # of ln p and of ln of the back-off weight
    steps: tuple[Steps, Steps]
    closed: bool

    @property
    def bytes(self) -> int:
        """What it takes in the file and in memory."""
        return sum(array.nbytes for array in self.arrays().values())

    def arrays(self) -> dict[str, Array]:
        """What is stored, by name."""
        arrays = (self.lookup.keys, self.lookup.first, *self.codes)
        return dict(zip(KINDS, arrays, strict=True))


class NgramModel:
    """ln p(word | the words before it in its sentence), as `NgramTable`, to within half a step of 16 bits.

    `unigrams` (2, words) holds ln p and ln of the back-off weight of every word.
    """

    start, end, unknown = START, END, UNKNOWN
    loose: frozenset[int] = frozenset()  # no word is a part of a character

    def __init__(self, vocabulary: Vocabulary, unigrams: Floats32, levels: Sequence[Packed]) -> None:
        self.vocabulary = vocabulary
        self.unigrams = unigrams
        self.levels = levels
        self._values = [tuple(steps.values() for steps in level.steps) for level in levels]

    @property
    def stepper(self) -> NgramStepper:
        """The same, writing."""
        return NgramStepper(self.distribution, len(self.vocabulary))

    @property
    def order(self) -> int:
        """Words per n-gram of the highest order."""
        return len(self.levels) + 1

    @property
    def sizes(self) -> list[tuple[int, int]]:
        """The number of n-grams and the bytes they take, by order."""
        words = self.unigrams.nbytes + sum(map(len, self.vocabulary.words)) + len(self.vocabulary)
        return [(len(self.vocabulary), words), *((len(level.lookup), level.bytes) for level in self.levels)]

    @property
    def sums_to_one(self) -> bool:
        """Whether scores are probabilities, as stupid back-off's are not: seen of the words that open a sentence."""
        opening = np.exp(self.distribution([START]).astype(np.float64))
        return abs(float(opening.sum()) - 1) < NEAR

    @classmethod
    def of(cls, table: NgramTable, vocabulary: Vocabulary, space: Space = IN_MEMORY) -> NgramModel:
        """The table, packed."""
        first = table.levels[0]
        levels: list[Packed] = []
        numbers = suffixes = np.arange(len(vocabulary))  # in the packed levels, of the table's n-grams
        for entries in table.levels[1:]:
            keys = space.map(lambda p, w, to=numbers: pair_keys(to[p], w), *entries.pairs, dtype=np.uint64)
            if levels:
                find = levels[-1].lookup.find
                suffixes = space.map(
                    lambda p, w, to=suffixes, find=find: find(pair_keys(to[p], w)),
                    *entries.pairs,
                    dtype=np.int64,
                )
            else:
                suffixes = entries.words
            lookup, order = Lookup.build(keys, space)
            closed = all(bool((suffixes[block] >= 0).all()) for block in space.blocks(len(suffixes)))
            levels.append(_packed(lookup, order, entries, closed, space))
            numbers = _inverse(order, space)
        return cls(vocabulary, np.stack([first.log_probs, first.backoffs]).astype(np.float32), levels)

    def table(self) -> NgramTable:
        """The n-grams with their numbers, as an ARPA file lists them."""
        every = np.arange(len(self.vocabulary))
        levels = [Entries(np.zeros_like(every), every, *self.unigrams.astype(np.float64))]
        numbers = every
        for level, values in zip(self.levels, self._values, strict=True):
            keys = pair_keys(numbers[level.lookup.keys >> SHIFT], level.lookup.keys & WORD)
            order = np.argsort(keys)
            prefixes, words = (part.astype(np.int64) for part in (keys[order] >> SHIFT, keys[order] & WORD))
            log_probs, backoffs = (
                value[codes[order]].astype(np.float64)
                for value, codes in zip(values, level.codes, strict=True)
            )
            levels.append(Entries(prefixes, words, log_probs, backoffs))
            numbers = _inverse(order, IN_MEMORY)
        return NgramTable(tuple(levels), START, 0.0)

    def encode(self, texts: Sequence[str]) -> tuple[Ints, Ints]:
        """Sentences as ids, START and END around each, and how many ids each has."""
        return self.vocabulary.sentences(texts)

    def decode(self, ids: Sequence[int]) -> str:
        """The words with spaces between."""
        return " ".join(self.vocabulary.strings[i] for i in ids)

    def log_probs(self, ids: Ints, sizes: Ints | None = None) -> Floats32:
        """ln p(token | the tokens before it in its sentence), (tokens,); 0 at each start, -inf for the impossible.

        Sentences begin with START, so that their sizes need not be told. An n-gram is looked for only where
        the n-grams without its last and without its first word were found.
        """
        depth = sentence_depth(ids == START)
        words = ids.astype(np.uint64)
        result: Floats32 = self.unigrams[0].take(ids)
        found, weights = ids, self.unigrams[1].take
        at = np.flatnonzero(depth >= 1)
        for n, (level, values) in enumerate(zip(self.levels, self._values, strict=True), start=2):
            contexts = found.take(at - 1)
            if n > 2:
                known = np.flatnonzero(contexts >= 0)
                at, contexts = at.take(known), contexts.take(known)
            result[at] += weights(contexts)
            wanted = at
            if n > 2 and level.closed:
                known = np.flatnonzero(found.take(at) >= 0)
                wanted, contexts = at.take(known), contexts.take(known)
            numbers = level.lookup.find(pair_keys(contexts, words.take(wanted)))
            found = np.full(len(ids), -1)
            found[wanted] = numbers
            hit = np.flatnonzero(numbers >= 0)
            result[wanted.take(hit)] = _decoded(values[0], level.codes[0], numbers.take(hit))
            weights = partial(_decoded, values[1], level.codes[1])
            at = at.take(np.flatnonzero(depth.take(at) >= n))
        result[result < LOG_ZERO + 1] = -np.inf
        result[ids == START] = 0
        return result

    def distribution(self, context: Sequence[int]) -> Floats32:
        """ln p(w | context) of every word w, (words,); the context begins with START if its sentence does."""
        result: Floats32 = self.unigrams[0].copy()
        every = np.arange(len(result), dtype=np.uint64)
        history = np.array(context[-(self.order - 1) :] if self.order > 1 else [], dtype=np.int64)
        for length in range(1, len(history) + 1):
            place = self._find(history[-length:])
            if place < 0:
                continue
            values = self._values[length - 1]
            result += self._weight(length, place)
            numbers = self.levels[length - 1].lookup.find(pair_keys(np.full(len(every), place), every))
            hit = np.flatnonzero(numbers >= 0)
            result[hit] = _decoded(values[0], self.levels[length - 1].codes[0], numbers[hit])
        result[result < LOG_ZERO + 1] = -np.inf
        result[START] = -np.inf
        return result

    def _find(self, ids: Ints) -> int:
        """The number of one n-gram, -1 where there is none."""
        place = int(ids[0])
        for level, word in zip(self.levels, ids[1:].tolist(), strict=False):
            if place >= 0:
                place = int(level.lookup.find(pair_keys(np.array([place]), np.array([word])))[0])
        return place

    def _weight(self, length: int, place: int) -> float:
        """ln of the back-off weight of an n-gram of `length` words."""
        if length == 1:
            return float(self.unigrams[1, place])
        return float(self._values[length - 2][1][self.levels[length - 2].codes[1][place]])


def _decoded(values: Floats32, codes: Codes, at: Ints) -> Floats32:
    return values.take(codes.take(at))


def _inverse(order: Ints, space: Space) -> Ints:
    """Where each number stands in `order`."""
    numbers = space.zeros(len(order), np.int64)
    for block in space.blocks(len(order)):
        numbers[order[block]] = np.arange(block.start, block.stop)
    return numbers


def _packed(lookup: Lookup, order: Ints, entries: Entries, closed: bool, space: Space) -> Packed:
    """The logarithms of a level as codes, in the order of the look-up."""
    steps = (Steps.of(entries.log_probs, space), Steps.of(entries.backoffs, space))
    first, second = (
        space.map(lambda at, v=values, to=step.codes: to(v[at]), order, dtype=np.uint16)
        for values, step in zip((entries.log_probs, entries.backoffs), steps, strict=True)
    )
    return Packed(lookup, (first, second), steps, closed)
