"""Writes what a source begins with: the baseline of summaries, and of translations the source itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gradatim.types import Array, Arrays, Candidates

SURE = np.float32(0)
NEVER = np.float32(-np.inf)


@dataclass(slots=True)
class LeadState:
    """The sources (rows, longest), each ended, and how many of their tokens were written."""

    sources: Array
    written: int = 1

    def reorder(self, rows: Array) -> LeadState:
        return LeadState(self.sources[rows], self.written)


class LeadStepper:
    """The first `count` tokens of a source, or all of them, then the end."""

    def __init__(self, vocab_size: int, *, end: int, count: int | None = None) -> None:
        self.vocab_size, self.end, self.count = vocab_size, end, count

    def begin(self, batch: Arrays, count: int) -> tuple[Candidates, LeadState]:
        lengths = np.minimum(batch["lengths"], self.count or int(batch["lengths"].max()))
        sources = np.full((len(lengths), int(lengths.max()) + 1), self.end)
        starts = np.cumsum(batch["lengths"]) - batch["lengths"]
        for row, (start, length) in enumerate(zip(starts, lengths, strict=True)):
            sources[row, :length] = batch["ids"][start : start + length]
        return self._only(sources[:, 0], count), LeadState(sources)

    def advance(self, ids: Array, state: LeadState, count: int) -> tuple[Candidates, LeadState]:
        place = min(state.written, state.sources.shape[1] - 1)
        return self._only(state.sources[:, place], count), LeadState(state.sources, state.written + 1)

    def _only(self, tokens: Array, count: int) -> Candidates:
        """One candidate of each row, and as many impossible ones as are asked for."""
        ids = np.repeat(tokens[:, None], count, axis=1)
        scores = np.full(ids.shape, NEVER)
        scores[:, 0] = SURE
        return Candidates(ids, scores, np.zeros(len(ids), dtype=np.float32))
