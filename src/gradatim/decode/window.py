"""A model that can read so many tokens only, going on where its window ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gradatim.types import Array, Arrays, Candidates, Stepper


@dataclass(frozen=True, slots=True)
class WindowedState:
    """The stepper's `own`; the last tokens of each row (rows, longest), at the right; how many of them it has read."""

    own: Any
    history: Array
    sizes: Array

    def reorder(self, rows: Array) -> WindowedState:
        return WindowedState(self.own.reorder(rows), self.history[rows], self.sizes[rows])


class Windowed:
    """Writes any number of tokens by a stepper that reads `longest`.

    Of a longer prompt the last `longest` tokens are read. A row whose window is full goes on from the last half of it,
    read anew: every token has at least half a window before it, as when texts are scored, and for each that is written
    two are read, on average.
    """

    def __init__(self, stepper: Stepper, longest: int) -> None:
        self.stepper, self.longest = stepper, longest

    @property
    def vocab_size(self) -> int:
        return self.stepper.vocab_size

    def begin(self, batch: Arrays, count: int) -> tuple[Candidates, WindowedState]:
        sizes = np.minimum(batch["lengths"], self.longest)
        history = np.zeros((len(sizes), self.longest), dtype=np.int64)
        ends = np.cumsum(batch["lengths"])
        for row, end, size in zip(history, ends, sizes, strict=True):
            row[self.longest - size :] = batch["ids"][end - size : end]
        return self._read(history, sizes, count)

    def advance(self, ids: Array, state: WindowedState, count: int) -> tuple[Candidates, WindowedState]:
        history = np.concatenate([state.history[:, 1:], ids[:, None]], axis=1)
        full = state.sizes == self.longest
        sizes = np.where(full, max(1, self.longest // 2), state.sizes + 1)
        if full.any():  # whoever has room reads what it has read already, so that no row sees another
            return self._read(history, sizes, count)
        found, own = self.stepper.advance(ids, state.own, count)
        return found, WindowedState(own, history, sizes)

    def _read(self, history: Array, sizes: Array, count: int) -> tuple[Candidates, WindowedState]:
        inside = np.arange(self.longest) >= self.longest - sizes[:, None]
        found, own = self.stepper.begin({"ids": history[inside], "lengths": sizes}, count)
        return found, WindowedState(own, history, sizes)
