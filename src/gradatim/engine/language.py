"""Runs an exported language model, in pieces where the whole would not fit."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradatim.engine.graph import load_session
from gradatim.engine.processor import available_cores
from gradatim.errors import ArtifactError
from gradatim.types import Array

CELLS = 1 << 23  # log probabilities held at once
STATE, AFTER = "state", "_after"  # inputs that are carried, and the outputs that they become


class OnnxLanguage:
    """A LanguageSession over a graph of `gradatim.export.language`; may be used from several threads.

    A recurrent model reads a row of any length, part by part; any other at most `longest` tokens.
    Raises `ArtifactError` if `model` is no such graph.
    """

    def __init__(self, model: bytes, *, longest: int | None, threads: int | None = None) -> None:
        try:
            self._session = load_session(model, threads or available_cores())
            inputs = {node.name: node.shape for node in self._session.get_inputs()}
            outputs = {node.name: node.shape for node in self._session.get_outputs()}
            self._vocabulary = int(outputs["next"][0])
        except Exception as error:  # the runtime has no common exception class
            raise ArtifactError(f"model.onnx is no language model that can be loaded: {error}") from error
        self._states = {name: shape for name, shape in inputs.items() if name.startswith(STATE)}
        if {"ids", "targets", "lengths", *self._states} != inputs.keys():
            raise ArtifactError(f"model.onnx is no language model: it has inputs {sorted(inputs)}")
        self._longest = longest

    @property
    def longest(self) -> int | None:
        return self._longest

    def log_probs(self, ids: Array, targets: Array, sizes: Array) -> Array:
        found = np.zeros(len(ids), dtype=np.float32)
        starts = np.cumsum(sizes) - sizes
        room = max(1, CELLS // self._vocabulary)  # tokens of a call
        begin = 0
        while begin < len(sizes):
            end = begin + 1
            while end < len(sizes) and (end + 1 - begin) * sizes[begin : end + 1].max() <= room:
                end += 1
            self._rows(ids, targets, starts[begin:end], sizes[begin:end], room, found)
            begin = end
        found[targets < 0] = 0
        return found

    def next(self, ids: Array) -> Array:
        state = self._begin(1)
        room = max(1, CELLS // self._vocabulary) if self._states else len(ids)
        last: Array = np.zeros(0)
        for start in range(0, len(ids), room):
            part = ids[None, start : start + room]
            [last], state = self._run(part, np.zeros_like(part), np.array([part.shape[1]]), state, ["next"])
        return last

    def _rows(self, ids: Array, targets: Array, starts: Array, sizes: Array, room: int, found: Array) -> None:
        """Some rows side by side; of recurrent models so many columns at a time as there is room for."""
        state = self._begin(len(sizes))
        width = int(sizes.max(initial=0))
        step = max(1, room // len(sizes)) if self._states else max(1, width)
        for start in range(0, width, step):
            column = np.arange(start, min(start + step, width))
            inside = column < sizes[:, None]
            places = np.where(inside, starts[:, None] + column, starts[:, None])
            lengths = inside.sum(axis=1)
            asked = np.maximum(targets[places], 0)
            [scores], state = self._run(ids[places], asked, lengths, state, ["log_probs"])
            found[places[inside]] = scores[inside]

    def _begin(self, rows: int) -> dict[str, Array]:
        return {
            name: np.zeros((shape[0], rows, shape[2]), dtype=np.float32)
            for name, shape in self._states.items()
        }

    def _run(
        self, ids: Array, targets: Array, lengths: Array, state: dict[str, Array], outputs: list[str]
    ) -> tuple[list[Any], dict[str, Array]]:
        numbers = {"ids": ids, "targets": targets, "lengths": lengths}
        feed = {name: value.astype(np.int32) for name, value in numbers.items()} | state
        names = [*outputs, *(name + AFTER for name in self._states)]
        values = self._session.run(names, feed)
        return values[: len(outputs)], dict(zip(self._states, values[len(outputs) :], strict=True))
