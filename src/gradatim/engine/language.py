"""Runs an exported language model, in pieces where the whole would not fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime as ort

from gradatim.engine.graph import load_session
from gradatim.engine.names import AFTER, ASKED, COUNT, STATE, VOCABULARY
from gradatim.engine.onnx import pad
from gradatim.engine.processor import available_cores
from gradatim.errors import ArtifactError
from gradatim.types import Array, Arrays, Candidates

CELLS = 1 << 23  # log probabilities held at once
ROWS, PAST = "rows", "past"  # axes of a state: of the rows, and of what grows with every token
TARGETS = "targets"  # tokens to score at the places asked, which are of the rows laid end to end
INPUTS = {"ids": np.int32, "lengths": np.int32, ASKED: np.int64, TARGETS: np.int64, COUNT: np.int64}


@dataclass(frozen=True, slots=True)
class LanguageState:
    """What a graph has read of every row: its states, and the axis along which rows lie in each."""

    values: Mapping[str, Any]  # of the runtime: from call to call they are not copied
    axes: Mapping[str, int]

    def reorder(self, rows: Array) -> LanguageState:
        taken = {name: value.numpy().take(rows, axis=self.axes[name]) for name, value in self.values.items()}
        return LanguageState({name: _value(array) for name, array in taken.items()}, self.axes)


class OnnxLanguage:
    """A LanguageSession over a graph of `gradatim.export.language`; may be used from several threads.

    A row is read part by part, in states that are carried on: of any length by a recurrent model, by any other up to
    `longest` tokens. Raises `ArtifactError` if `model` is no such graph.
    """

    def __init__(self, model: bytes, *, longest: int | None, threads: int | None = None) -> None:
        try:
            self._session = load_session(model, threads or available_cores())
            inputs = {node.name: node.shape for node in self._session.get_inputs()}
            self._vocab_size = int(self._session.get_modelmeta().custom_metadata_map.get(VOCABULARY, 0))
        except Exception as error:  # the runtime has no common exception class
            raise ArtifactError(f"model.onnx is no language model that can be loaded: {error}") from error
        self._states = {name: shape for name, shape in inputs.items() if name.startswith(STATE)}
        if {*INPUTS, *self._states} != inputs.keys() or not self._vocab_size:
            raise ArtifactError(
                f"model.onnx is no language model of this version: it has inputs {sorted(inputs)}. Make it anew with "
                "`gradatim lm convert`"
            )
        self._axes = {name: shape.index(ROWS) for name, shape in self._states.items()}
        self._options = ort.RunOptions()  # who scores needs no candidates, and who writes no scores:
        self._options.only_execute_path_to_fetches = True
        self._longest = longest

    @property
    def longest(self) -> int | None:
        return self._longest

    @property
    def vocab_size(self) -> int:
        return self._vocab_size

    def begin(self, batch: Arrays, count: int) -> tuple[Candidates, LanguageState]:
        lengths = np.asarray(batch["lengths"])
        ids = pad({"ids": batch["ids"]}, np.cumsum(lengths) - lengths, lengths)["ids"]
        last = np.arange(len(lengths)) * ids.shape[1] + lengths - 1
        return self._candidates(ids, lengths, self._begin(len(lengths)), last, count)

    def advance(self, ids: Array, state: LanguageState, count: int) -> tuple[Candidates, LanguageState]:
        every = np.arange(len(ids))
        return self._candidates(ids[:, None], np.ones_like(every), state, every, count)

    def log_probs(self, ids: Array, targets: Array, sizes: Array) -> Array:
        found = np.zeros(len(ids), dtype=np.float32)
        starts = np.cumsum(sizes) - sizes
        room = max(1, CELLS // self._vocab_size)  # tokens of a call
        begin = 0
        while begin < len(sizes):
            end = begin + 1
            while end < len(sizes) and (end + 1 - begin) * sizes[begin : end + 1].max() <= room:
                end += 1
            self._rows(ids, targets, starts[begin:end], sizes[begin:end], room, found)
            begin = end
        return found

    def _rows(self, ids: Array, targets: Array, starts: Array, sizes: Array, room: int, found: Array) -> None:
        """Some rows side by side, so many columns at a time as there is room for."""
        state = self._begin(len(sizes))
        width = int(sizes.max(initial=0))
        step = max(1, room // len(sizes))
        for start in range(0, width, step):
            column = np.arange(start, min(start + step, width))
            inside = column < sizes[:, None]
            places = np.where(inside, starts[:, None] + column, starts[:, None])
            asked = inside & (targets[places] >= 0)
            feed = {"ids": ids[places], "lengths": inside.sum(axis=1), ASKED: np.flatnonzero(asked)}
            at = places[asked]
            [found[at]], state = self._run({**feed, TARGETS: targets[at]}, state, ["log_probs"])

    def _candidates(
        self, ids: Array, lengths: Array, state: LanguageState, asked: Array, count: int
    ) -> tuple[Candidates, LanguageState]:
        feed = {"ids": ids, "lengths": lengths, ASKED: asked, COUNT: np.array([count])}
        [best, scores, norm], state = self._run(feed, state, ["best", "scores", "norm"])
        return Candidates(best, scores, norm[:, 0]), state

    def _begin(self, rows: int) -> LanguageState:
        """The state before anything was read."""
        sizes = {ROWS: rows, PAST: 0}
        shapes = {name: [sizes.get(size, size) for size in shape] for name, shape in self._states.items()}
        empty = {name: _value(np.zeros(shape, dtype=np.float32)) for name, shape in shapes.items()}
        return LanguageState(empty, self._axes)

    def _run(
        self, feed: Arrays, state: LanguageState, outputs: Sequence[str]
    ) -> tuple[list[Any], LanguageState]:
        given = {name: feed.get(name, np.zeros(1)) for name in INPUTS}
        values = {name: _value(given[name].astype(dtype, order="C")) for name, dtype in INPUTS.items()}
        names = [*outputs, *(name + AFTER for name in self._states)]
        found = self._session.run_with_ort_values(names, {**values, **state.values}, self._options)
        carried = dict(zip(self._states, found[len(outputs) :], strict=True))
        return [value.numpy() for value in found[: len(outputs)]], LanguageState(carried, self._axes)


def _value(array: Array) -> Any:
    return ort.OrtValue.ortvalue_from_numpy(array)
