"""A model of words that has nothing but a distribution after every context, as a `Stepper`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from gradatim.types import Array, Arrays, Candidates

Distribution = Callable[[Sequence[int]], Array]  # ln p of every word after these, (vocabulary,)


@dataclass(frozen=True, slots=True)
class Contexts:
    """All words of each row."""

    rows: list[list[int]]

    def reorder(self, rows: Array) -> Contexts:
        return Contexts([self.rows[row] for row in rows])


class NgramStepper:
    """Candidates by the distribution after each context; a word that cannot come scores -inf."""

    def __init__(self, distribution: Distribution, vocab_size: int) -> None:
        self.distribution, self.vocab_size = distribution, vocab_size

    def begin(self, batch: Arrays, count: int) -> tuple[Candidates, Contexts]:
        rows = np.split(batch["ids"], np.cumsum(batch["lengths"])[:-1])
        return self._read(Contexts([row.tolist() for row in rows]), count)

    def advance(self, ids: Array, state: Contexts, count: int) -> tuple[Candidates, Contexts]:
        rows = [[*row, token] for row, token in zip(state.rows, ids.tolist(), strict=True)]
        return self._read(Contexts(rows), count)

    def _read(self, contexts: Contexts, count: int) -> tuple[Candidates, Contexts]:
        scores = np.stack([self.distribution(row) for row in contexts.rows])
        some = np.argpartition(-scores, count - 1, axis=1)[:, :count]
        order = np.argsort(-np.take_along_axis(scores, some, axis=1), axis=1, kind="stable")
        ids = np.take_along_axis(some, order, axis=1)
        return Candidates(ids, np.take_along_axis(scores, ids, axis=1), np.zeros(len(ids))), contexts
