"""Which examples go together: shuffled, then of similar length, so that attention pads little."""

from __future__ import annotations

import numpy as np

from gradatim.types import Array

POOL = 50  # batches drawn together and sorted by length inside


def plan_epoch(sizes: Array, batch_size: int, max_tokens: int, rng: np.random.Generator) -> list[Array]:
    """One pass over all examples in random batches of at most `batch_size` texts and `max_tokens` tokens.

    A text longer than `max_tokens` is a batch of its own. Sizes are jittered before sorting, so
    that equal lengths do not always meet.
    """
    order = rng.permutation(len(sizes))
    batches: list[Array] = []
    for start in range(0, len(order), POOL * batch_size):
        pool = order[start : start + POOL * batch_size]
        pool = pool[np.argsort(sizes[pool] * rng.uniform(0.95, 1.05, len(pool)), kind="stable")]
        batches += _cut(pool, sizes, batch_size, max_tokens)
    return [batches[i] for i in rng.permutation(len(batches))]


def _cut(pool: Array, sizes: Array, batch_size: int, max_tokens: int) -> list[Array]:
    batches, start, tokens = [], 0, 0
    for end, row in enumerate(pool):
        if end > start and (end - start == batch_size or tokens + sizes[row] > max_tokens):
            batches.append(pool[start:end])
            start, tokens = end, 0
        tokens += int(sizes[row])
    if start < len(pool):
        batches.append(pool[start:])
    return batches
