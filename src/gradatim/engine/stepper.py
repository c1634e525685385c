"""Runs an exported encoder-decoder, token by token, as a `Stepper`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gradatim.engine.names import COUNT, READ
from gradatim.engine.pair import GraphPair
from gradatim.types import Array, Arrays, Candidates

WRITTEN = "written"  # tokens of every text so far
BEAMS, WIDTH = "beams", "width"  # which beam wrote each key that a row sees, and how many a source has
PAST, PRESENT, MEMORY = "state_past_", "present_", "state_memory_"
OUTPUTS = {"scores": np.float32, "best": np.int64, "norm": np.float32}
ROOM = 32  # tokens of the past that there is room for at first
FULL = 0.75  # share of the sources that are still written, below which they move together


@dataclass(slots=True)
class OnnxState:
    """What a batch has read and written so far. A state that was reordered or advanced is used up.

    `memory` (sources, heads, tokens, head_width) and `past` (rows, heads, room, head_width) of every layer, of which
    `written` places are in use; `beams` (sources, width, room) says which row of the source holds the key of each
    place. Of these sources the `live` ones are those that the caller knows, in its order.
    """

    memory: dict[str, Array]
    past: dict[str, Array]
    read: Array
    beams: Array
    live: Array
    written: int = 0
    bound: Any = None  # the call that these arrays are laid out for, and its count

    @property
    def width(self) -> int:
        return int(self.beams.shape[1])

    @property
    def rows(self) -> Array:
        """Where the rows that the caller knows lie, in its order."""
        found: Array = (self.live[:, None] * self.width + np.arange(self.width)).ravel()
        return found

    def reorder(self, rows: Array) -> OnnxState:
        """The state of these rows, of which one source's stand together, equally many of each.

        No key is moved as long as most sources are there: rows only learn which beams they go on from.
        """
        owners = rows // self.width
        kept = owners[np.flatnonzero(np.diff(owners, prepend=-1))]
        parents = (rows % self.width).reshape(len(kept), -1)
        live = self.live[kept]
        if parents.shape[1] != self.width or len(live) < FULL * len(self.read):
            return self._moved(live, parents)
        self.beams[live] = self.beams[live[:, None], parents]
        self.live = live
        return self

    def _moved(self, sources: Array, parents: Array) -> OnnxState:
        """These sources alone, each row with its own keys."""
        width, used = parents.shape[1], self.written
        holders = self.beams[sources[:, None], parents, :used]
        holders = (holders + self.width * sources[:, None, None]).reshape(-1, used)
        room = next(iter(self.past.values())).shape[2]
        past = {}
        for name, array in self.past.items():
            past[name] = np.zeros((len(holders), array.shape[1], room, array.shape[3]), dtype=np.float32)
            if used:
                past[name][:, :, :used] = array[holders, :, np.arange(used)].transpose(0, 2, 1, 3)
        beams = np.tile(np.arange(width, dtype=np.int32)[:, None], (len(sources), 1, room))
        memory = {name: array[sources] for name, array in self.memory.items()}
        return OnnxState(memory, past, self.read[sources], beams, np.arange(len(sources)), used)

    def make_room(self) -> None:
        """Room for one token more."""
        if self.written < self.beams.shape[2]:
            return
        self.bound = None
        more = self.beams.shape[2]
        own = np.arange(self.width, dtype=np.int32)[:, None]
        self.beams = np.concatenate(
            [self.beams, np.broadcast_to(own, (len(self.read), self.width, more))], axis=2
        )
        self.past = {
            name: np.concatenate([array, np.zeros_like(array)], axis=2) for name, array in self.past.items()
        }


@dataclass(slots=True)
class Call:
    """A run of the decoder graph on arrays that stay where they are."""

    binding: Any
    ids: Array
    written: Array
    count: int
    inputs: dict[str, Array]  # kept, as the binding knows only where they lie
    outputs: dict[str, Array]


class OnnxStepper:
    """Candidates by the graphs of `gradatim.export.text_to_text`; `start` is what every text begins after.

    Raises `ArtifactError` if the pair are no such graphs.
    """

    def __init__(self, pair: GraphPair, *, start: int) -> None:
        self._past = {name: shape for name, shape in pair.inputs.items() if name.startswith(PAST)}
        pair.require({"ids", READ, WRITTEN, BEAMS, WIDTH, COUNT, *self._past})
        self.pair, self.start = pair, start

    @property
    def vocab_size(self) -> int:
        return self.pair.vocab_size

    def begin(self, batch: Arrays, count: int) -> tuple[Candidates, OnnxState]:
        lengths = np.asarray(batch["lengths"], dtype=np.int32)
        memory = self.pair.read(np.asarray(batch["ids"]), lengths)
        past = {
            name: np.zeros((len(lengths), shape[1], ROOM, shape[3]), dtype=np.float32)
            for name, shape in self._past.items()
        }
        beams = np.zeros((len(lengths), 1, ROOM), dtype=np.int32)
        state = OnnxState(memory, past, lengths, beams, np.arange(len(lengths)))
        return self.advance(np.full(len(lengths), self.start), state, count)

    def advance(self, ids: Array, state: OnnxState, count: int) -> tuple[Candidates, OnnxState]:
        state.make_room()
        state.beams[:, :, state.written] = np.arange(state.width)
        if state.bound is None or state.bound.count != count:
            state.bound = self._bound(state, count)
        call, rows = state.bound, state.rows
        call.ids[rows] = ids
        call.written[0] = state.written
        self.run(call)
        state.written += 1
        found = {name: output[rows] for name, output in call.outputs.items()}
        return Candidates(found["best"], found["scores"], found["norm"][:, 0]), state

    def run(self, call: Call) -> None:
        """The decoder graph on these arrays."""
        self.pair.decoder.run_with_iobinding(call.binding)

    def _bound(self, state: OnnxState, count: int) -> Call:
        """A call on the arrays of this state, into which its keys are written."""
        rows, binding = len(state.read) * state.width, self.pair.decoder.io_binding()
        inputs = {
            "ids": np.zeros(rows, np.int32), READ: state.read, WRITTEN: np.zeros(1, np.int32),
            BEAMS: state.beams, WIDTH: np.array([state.width], np.int32), COUNT: np.array([count], np.int64),
            **state.memory, **state.past,
        }  # fmt: skip
        outputs = {
            name: np.zeros((rows, 1 if name == "norm" else count), dtype) for name, dtype in OUTPUTS.items()
        }
        presents = {PRESENT + name.removeprefix(PAST): array for name, array in state.past.items()}
        for name, array in inputs.items():
            binding.bind_input(name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)
        for name, array in {**outputs, **presents}.items():
            binding.bind_output(name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)
        return Call(binding, inputs["ids"], inputs[WRITTEN], count, inputs, outputs)
