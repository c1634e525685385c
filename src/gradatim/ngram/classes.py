"""One n-gram model per class over a shared vocabulary, gathered into the arrays of a session."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from gradatim.engine.ngram import NgramArrays, extend
from gradatim.ngram.counts import count_ngrams
from gradatim.ngram.estimate import estimate
from gradatim.ngram.table import NgramTable
from gradatim.text.hashing import Ints

Hashes = npt.NDArray[np.uint64]


def estimate_classes(
    words: Hashes,
    members: Sequence[npt.NDArray[np.bool_]],
    *,
    start: np.uint64,
    order: int,
    prune: Sequence[int] = (),
) -> NgramArrays:
    """Estimate a model per class from hashed sentences.

    `words` (tokens,) are word hashes, `start` opening each sentence; `members[c]` (tokens,) marks the
    tokens of class c, whole sentences each. Below its own unigrams every class has the unigram
    distribution of all text, in which a word never seen has the share of one word of the
    vocabulary in the uniform base. Prior and scaling are neutral: uniform, (1, 0).
    """
    vocabulary, ids = np.unique(words, return_inverse=True)
    opening = int(np.searchsorted(vocabulary, start))
    size = len(vocabulary) + 1  # the last id stands for all unknown words
    pooled = estimate(count_ngrams(ids, vocabulary=size, start=opening, order=1), start=opening)
    base = np.exp(pooled.levels[0].log_probs)
    tables = [
        estimate(
            count_ngrams(ids[of_class], vocabulary=size, start=opening, order=order),
            start=opening,
            base=base,
            prune=prune,
        )
        for of_class in members
    ]
    hashes = np.append(vocabulary, np.uint64(0))
    known = np.delete(np.arange(size - 1), opening)
    parts = [(vocabulary[known], len(tables), pooled.levels[0].log_probs[known], np.zeros(size - 2))]
    for number, table in enumerate(tables):
        seen = np.zeros(size, dtype=bool)
        seen[ids[members[number]]] = True
        parts += [(key, number, p, b) for key, p, b in _hashed(table, hashes, np.flatnonzero(seen))]
    return _gather(parts, tables, float(pooled.levels[0].log_probs[-1]), start)


def _hashed(
    table: NgramTable, hashes: Hashes, seen: Ints
) -> list[tuple[Hashes, npt.NDArray[np.float64], npt.NDArray[np.float64]]]:
    """Keys, log-probabilities and back-off weights by order; of the unigrams those `seen` in the class."""
    first = table.levels[0]
    result = [(hashes[seen], first.log_probs[seen], first.backoffs[seen])]
    keys = hashes
    for level in table.levels[1:]:
        keys = extend(keys[level.prefixes], hashes[level.words])
        result.append((keys, level.log_probs, level.backoffs))
    return result


def _gather(
    parts: Sequence[tuple[Hashes, int, npt.NDArray[np.float64], npt.NDArray[np.float64]]],
    tables: Sequence[NgramTable],
    unknown: float,
    start: np.uint64,
) -> NgramArrays:
    """Merge all classes: entries sorted by key, then class."""
    every = np.concatenate([keys for keys, _, _, _ in parts])
    small = np.min_scalar_type(len(tables))
    classes = np.concatenate([np.full(len(keys), number, dtype=small) for keys, number, _, _ in parts])
    order = np.lexsort((classes, every))
    keys, counts = np.unique(every, return_counts=True)
    return NgramArrays(
        keys=keys,
        counts=counts.astype(np.min_scalar_type(len(tables) + 1)),
        classes=classes[order],
        log_probs=np.concatenate([p for _, _, p, _ in parts])[order].astype(np.float32),
        backoffs=np.concatenate([b for _, _, _, b in parts])[order].astype(np.float32),
        empty=np.array([table.backoff for table in tables], dtype=np.float32),
        unknown=np.array([unknown], dtype=np.float32),
        prior=np.zeros(len(tables), dtype=np.float32),
        scaling=np.array([1.0, 0.0], dtype=np.float32),
        start=np.array([start], dtype=np.uint64),
        order=np.array([tables[0].order], dtype=np.uint8),
    )
