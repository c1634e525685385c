"""Which examples go together: shuffled, then of similar length, so that attention pads little."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gradatim.types import Array

POOL = 50  # batches drawn together and sorted by length inside


@dataclass(frozen=True, slots=True)
class Plan:
    """All batches of a run, and at which of them (from 0) each epoch begins."""

    batches: list[Array]
    epochs: list[int]

    @classmethod
    def of(cls, sizes: Array, epochs: float, batch_size: int, max_tokens: int, seed: int) -> Plan:
        """Whole epochs, and the first part of one more for a fraction; a function of its arguments alone."""
        rng = np.random.default_rng(seed)
        batches: list[Array] = []
        begins: list[int] = []
        for epoch in range(int(np.ceil(epochs))):
            begins.append(len(batches))
            more = plan_epoch(sizes, batch_size, max_tokens, rng)
            batches += more[: max(1, round(len(more) * min(1.0, epochs - epoch)))]
        return cls(batches, begins)

    def epoch(self, step: int) -> int:
        """The epoch of a step."""
        return int(np.searchsorted(self.epochs, step, side="right")) - 1

    def ends_epoch(self, step: int) -> bool:
        """Whether an epoch, or the last part of one, is over after this step."""
        return step + 1 in self.epochs or step + 1 == len(self.batches)


def split(rows: Array, processes: int, rank: int, parts: int) -> list[Array]:
    """The micro-batches of one process, none empty: every process's together are the batch.

    Neighbours in a batch are of similar length, so dealing them out in turn shares the work.
    """
    count = processes * parts
    shares = [rows[i::count] for i in range(rank, count, processes)]
    return [share for share in shares if len(share)]


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
