"""The class-conditional n-gram model at run time: back-off look-up of all classes at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from gradatim.engine.members import pack_arrays, unpack_arrays
from gradatim.errors import ArtifactError
from gradatim.types import Array, Arrays

Ints = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]

BASE = np.uint64(0xD6E8FEB86659FD93)  # odd, so multiplying by it loses no bit
CELLS = 1 << 21  # (token, class) cells worked on at once, which bounds the memory of a long text


def extend(prefixes: Hashes, words: Hashes) -> Hashes:
    """Keys of n-grams from the keys of their prefixes and the hashes of their last words."""
    keys = (prefixes ^ (prefixes >> np.uint64(29))) * BASE
    return keys + words


@dataclass(frozen=True, slots=True)
class NgramArrays:
    """What an `NgramSession` knows.

    `keys` (ngrams,) ascending; n-gram i has `counts[i]` entries, one per class it has a probability
    in, ascending by class: `classes`, `log_probs`, `backoffs` (entries,). Class number `classes`
    is the base below all unigrams. `empty` (classes,) is ln of the weight of the base per class,
    `unknown` (1,) the base's ln p of a word never seen, `prior` (labels,) the logits without text,
    `scaling` (2,) = (a, b): logits = prior + a * ln p(text | class) / tokens^b. `start` (1,) is the
    hash that opens a sentence and `order` (1,) the longest n-gram. With one class more than labels,
    the last class is the background: a label's evidence is its ln p less that of the background.
    """

    keys: Array
    counts: Array
    classes: Array
    log_probs: Array
    backoffs: Array
    empty: Array
    unknown: Array
    prior: Array
    scaling: Array
    start: Array
    order: Array


class NgramSession:
    """Logits = log prior + scaled ln p(text | class)."""

    def __init__(self, arrays: NgramArrays) -> None:
        self.arrays = arrays
        self.keys = np.ascontiguousarray(arrays.keys, dtype=np.uint64)
        self.first = np.concatenate(([0], np.cumsum(arrays.counts, dtype=np.int64)))
        self.classes = arrays.classes.astype(np.int64)
        self.log_probs = arrays.log_probs.astype(np.float32)
        self.backoffs = arrays.backoffs.astype(np.float32)
        self.num_classes = len(arrays.empty)
        entries = {int(self.first[-1]), len(self.classes), len(self.log_probs), len(self.backoffs)}
        if (
            len(self.keys) + 1 != len(self.first)
            or len(entries) > 1
            or self.num_classes - len(arrays.prior) not in (0, 1)
            or (len(self.classes) and self.classes.max() > self.num_classes)
        ):
            raise ArtifactError(
                "the arrays of the n-gram model do not fit each other; make the artifact again"
            )

    @classmethod
    def from_npz(cls, data: bytes) -> NgramSession:
        """Read what `to_npz` wrote; raise ArtifactError for anything else."""
        names = [field.name for field in fields(NgramArrays)]
        arrays = unpack_arrays(data, dict.fromkeys(names, 1))
        return cls(NgramArrays(**{name: arrays[name] for name in names}))

    def to_npz(self) -> bytes:
        """The model as bytes, its log-probabilities rounded to float16."""
        arrays = {field.name: getattr(self.arrays, field.name) for field in fields(NgramArrays)}
        small = {name: arrays[name].astype(np.float16) for name in ("log_probs", "backoffs")}
        return pack_arrays({**arrays, **small})

    def run(self, arrays: Arrays) -> Arrays:
        """Take `words` (flat) and `lengths` (rows,), return `logits` (rows, labels)."""
        evidence, tokens = self.evidence(arrays)
        scale, power = self.arrays.scaling.tolist()
        logits = self.arrays.prior + scale * evidence / np.maximum(tokens, 1)[:, None] ** power
        return {"logits": logits.astype(np.float32)}

    def evidence(self, arrays: Arrays) -> tuple[npt.NDArray[np.float64], Ints]:
        """What the text says for each label (rows, labels), unscaled, and its predicted tokens (rows,)."""
        totals, tokens = self.log_likelihoods(arrays)
        labels = len(self.arrays.prior)
        return (totals[:, :labels] - totals[:, labels:] if self.num_classes > labels else totals), tokens

    def log_likelihoods(self, arrays: Arrays) -> tuple[npt.NDArray[np.float64], Ints]:
        """ln p(text | class) (rows, classes) and the number of predicted tokens (rows,)."""
        words, lengths = arrays["words"], arrays["lengths"]
        opening = words == self.arrays.start[0]
        numbers = list(self._find(words, opening))
        totals = np.zeros((len(lengths), self.num_classes))
        rows = np.repeat(np.arange(len(lengths)), lengths)
        step = max(CELLS // (self.num_classes + 1), 1)
        for begin in range(0, len(words), step):
            part = slice(begin, begin + step)
            scores = self._scores(numbers, begin, min(begin + step, len(words)))
            scores[opening[part]] = 0
            edges = np.flatnonzero(np.diff(rows[part], prepend=-1))
            totals[rows[part][edges]] += np.add.reduceat(scores, edges, axis=0, dtype=np.float64)
        return totals, lengths - np.bincount(rows[opening], minlength=len(lengths))

    def _find(self, words: Hashes, opening: npt.NDArray[np.bool_]) -> Iterator[Ints]:
        """For each order, the number of the n-gram that ends at each token; -1 where there is none."""
        place = np.arange(len(words))
        depth = place - np.maximum.accumulate(np.where(opening, place, 0)) if len(words) else place
        keys = words
        for n in range(1, int(self.arrays.order[0]) + 1):
            if n > 1:
                keys = extend(np.concatenate((keys[:1], keys[:-1])), words)
            found = np.searchsorted(self.keys, keys)
            known = (depth >= n - 1) & (self.keys.take(found, mode="clip") == keys)
            yield np.where(known, found, -1)

    def _scores(self, numbers: list[Ints], begin: int, end: int) -> npt.NDArray[np.float32]:
        """ln p(token | context, class) of tokens begin..end-1, (tokens, classes)."""
        unigrams = self._dense(self.log_probs, numbers[0][begin:end], np.nan)
        base = unigrams[:, -1]
        base[np.isnan(base)] = self.arrays.unknown[0]
        lower = self.arrays.empty.astype(np.float32) + base[:, None]
        scores = np.where(np.isnan(unigrams[:, :-1]), lower, unigrams[:, :-1])
        for contexts, found in pairwise(numbers):
            before = contexts[begin - 1 : end - 1] if begin else np.concatenate(([-1], contexts[: end - 1]))
            scores += self._dense(self.backoffs, before, 0.0)[:, :-1]
            exact = self._dense(self.log_probs, found[begin:end], np.nan)[:, :-1]
            np.copyto(scores, exact, where=~np.isnan(exact))
        return scores

    def _dense(
        self, values: npt.NDArray[np.float32], numbers: Ints, default: float
    ) -> npt.NDArray[np.float32]:
        """The entries of each n-gram spread over the classes (and the base), (tokens, classes + 1)."""
        dense = np.full((len(numbers), self.num_classes + 1), default, dtype=np.float32)
        at = np.flatnonzero(numbers >= 0)
        first = self.first[numbers[at]]
        counts = self.first[numbers[at] + 1] - first
        inside = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        entry = np.repeat(first, counts) + inside
        dense[np.repeat(at, counts), self.classes[entry]] = values[entry]
        return dense
