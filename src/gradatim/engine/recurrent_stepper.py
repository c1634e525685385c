"""Runs an exported recurrent encoder-decoder, token by token, as a `Stepper`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gradatim.engine.names import AFTER, COUNT, READ
from gradatim.engine.pair import GraphPair
from gradatim.types import Array, Arrays, Candidates

FOUND = ["best", "scores", "norm"]
ATTENTION = "attention"  # (rows, source), of a decoder that looks at its source


@dataclass(frozen=True, slots=True)
class CarriedState:
    """The recurrent states of every row, (rows, width) each, and what a source is remembered by.

    `memory` has `READ`, the tokens of each source, and (sources, tokens, width) arrays, once for all rows of a source;
    it is empty where only the first states know the source.
    """

    carried: dict[str, Array]
    memory: dict[str, Array]

    def reorder(self, rows: Array) -> CarriedState:
        """The state of these rows, of which one source's stand together, equally many of each."""
        carried = {name: array[rows] for name, array in self.carried.items()}
        if not self.memory:
            return CarriedState(carried, {})
        before = len(self.memory[READ])
        owners = rows * before // len(next(iter(self.carried.values())))
        kept = owners[np.flatnonzero(np.diff(owners, prepend=-1))]
        if np.array_equal(kept, np.arange(before)):
            return CarriedState(carried, self.memory)
        return CarriedState(carried, {name: array[kept] for name, array in self.memory.items()})


class RecurrentStepper:
    """Candidates by the graphs of `gradatim.export.attentive`; `start` is what every text begins after.

    Raises `ArtifactError` if the pair are no such graphs.
    """

    def __init__(self, pair: GraphPair, *, start: int) -> None:
        pair.require({"ids", COUNT, READ} & pair.inputs.keys())
        self.pair, self.start = pair, start
        self._outputs = [*FOUND, *(name + AFTER for name in pair.carried)]
        if ATTENTION in pair.outputs:
            self._outputs.append(ATTENTION)

    @property
    def vocab_size(self) -> int:
        return self.pair.vocab_size

    def begin(self, batch: Arrays, count: int) -> tuple[Candidates, CarriedState]:
        lengths = np.asarray(batch["lengths"], dtype=np.int32)
        memory = self.pair.read(np.asarray(batch["ids"]), lengths)
        carried = {name: memory.pop(name) for name in self.pair.carried}
        if memory:
            memory[READ] = lengths
        return self.advance(np.full(len(lengths), self.start), CarriedState(carried, memory), count)

    def advance(self, ids: Array, state: CarriedState, count: int) -> tuple[Candidates, CarriedState]:
        own: dict[str, Array] = {"ids": ids.astype(np.int32), COUNT: np.array([count], np.int64)}
        found = self.run({**own, **state.carried, **state.memory})
        carried = {name: found[name + AFTER] for name in state.carried}
        candidates = Candidates(found["best"], found["scores"], found["norm"][:, 0], found.get(ATTENTION))
        return candidates, CarriedState(carried, state.memory)

    def run(self, feed: dict[str, Array]) -> dict[str, Array]:
        """The decoder graph on these arrays."""
        return dict(zip(self._outputs, self.pair.decoder.run(self._outputs, feed), strict=True))
