"""Runs an exported ONNX graph on packed arrays: in few padded tokens, and on all cores."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np

from gradatim.engine.graph import OnnxGraph, Precision
from gradatim.engine.names import AGGREGATION, ASKED
from gradatim.engine.precision import faster
from gradatim.engine.processor import available_cores
from gradatim.types import Array, Arrays

# A call has at most so many padded tokens, so that activations stay in cache; or, of a small model, as many as it
# reads in CALL_S seconds, so that START_S, what a call costs by itself, does not count. TOKEN_S is a first guess of
# the seconds that a token takes.
CALL_TOKENS, CALL_S, START_S, TOKEN_S = 512, 0.01, 0.0005, 4e-5
CROWD_S = 0.1  # for how long callers who met are expected to meet again


class OnnxSession:
    """A Session over a graph; see `OnnxGraph` for its inputs and outputs.

    Packed rows are padded here and nowhere else: sorted by length, and cut into the calls that cost least,
    so the order in which texts arrive costs nothing. Calls run side by side, each on one core; a single row
    has all `threads` to itself (default: the cores this process may use), unless several callers have been
    here at once just now: then each keeps to one core. May be used from several threads. A model that holds both
    forms runs in the `precision` named, or else in the one that this processor is faster with; `precision` is then
    that, and None of any other model.
    """

    def __init__(
        self, model: bytes, threads: int | None = None, *, precision: Precision | None = None
    ) -> None:
        self._threads = threads or available_cores()
        self._wide = OnnxGraph(model, self._threads)
        self.precision: Precision | None = None
        if self._wide.timed_on:
            self.precision = precision or faster(model, self._wide, self._threads)
        if self.precision == "fp32":
            self._wide = OnnxGraph(model, self._threads, "fp32")
        self._narrow = self._wide if self._threads == 1 else None
        self._model = b"" if self._narrow else model
        self._pool: ThreadPoolExecutor | None = None
        self._lock, self._running, self._crowded_s = threading.Lock(), 0, -math.inf
        self._token_s = TOKEN_S

    def run(self, arrays: Arrays) -> Arrays:
        """Map packed `ids`, `lengths` (rows,) and perhaps `segments` to `logits` (rows, labels).

        Of a graph that says something of tokens, `logits` or `states` (tokens, size), of those that `asked` marks where
        it has to be asked; of one of tables perhaps `aggregation` (rows, labels) too.
        """
        lengths = arrays["lengths"]
        answers = _Answers(self._wide, arrays)
        with self._entered() as crowded:
            if len(lengths) == 1:
                graph = self._single() if crowded else self._wide
                rows = np.zeros(1, np.int64)
                padded = {name: arrays[name][None] for name in graph.flat}
                answers.put(rows, graph({**padded, **answers.asked(rows)}, lengths))
            elif len(lengths):
                self._many(arrays, lengths, answers)
        return answers.values

    def _many(self, arrays: Arrays, lengths: Array, answers: _Answers) -> None:
        graph = self._single()
        starts = np.cumsum(lengths) - lengths
        order = np.argsort(lengths, kind="stable")
        share = int(lengths.sum()) // (2 * self._threads)  # two calls a core, where there is enough to do
        most = min(max(CALL_TOKENS, int(CALL_S / self._token_s)), max(CALL_TOKENS // 2, share))

        def call(span: tuple[int, int]) -> None:
            rows = order[span[0] : span[1]]
            padded = pad({name: arrays[name] for name in graph.flat}, starts[rows], lengths[rows])
            began = time.perf_counter()
            answers.put(rows, graph({**padded, **answers.asked(rows)}, lengths[rows]))
            took = (time.perf_counter() - began) / padded["ids"].size
            self._token_s += 0.1 * (took - self._token_s)

        spans = cut(lengths[order], 0 if graph.alone else most, START_S / self._token_s)
        spans.reverse()  # the longest first, so that no core waits long at the end
        if self._threads == 1 or len(spans) == 1:
            for span in spans:
                call(span)
        else:
            list(self._workers().map(call, spans))

    def _single(self) -> OnnxGraph:
        """The graph on one core, loaded when it is first needed."""
        with self._lock:
            if self._narrow is None:
                self._narrow, self._model = OnnxGraph(self._model, 1, self.precision or "int8"), b""
            return self._narrow

    def _workers(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self._threads, "gradatim")
            return self._pool

    @contextmanager
    def _entered(self) -> Iterator[bool]:
        """Whether others are at work here, or were lately."""
        now = time.monotonic()
        with self._lock:
            if self._running:
                self._crowded_s = now
            self._running += 1
            crowded = now - self._crowded_s < CROWD_S
        try:
            yield crowded
        finally:
            with self._lock:
                self._running -= 1


class _Answers:
    """What a graph says of all rows, put together of what it says of some: by row, by token, or by token asked for."""

    def __init__(self, graph: OnnxGraph, arrays: Arrays) -> None:
        self._lengths = arrays["lengths"]
        self._starts = np.cumsum(self._lengths) - self._lengths
        by_row = not (graph.of_tokens or graph.asked)
        self._of_rows = {name for name in graph.outputs if by_row or name == AGGREGATION}
        self._by_cell = graph.asked
        marks = arrays[ASKED] if graph.asked and ASKED in arrays else np.ones(int(self._lengths.sum()), bool)
        self._marks, self._ranks = marks, np.cumsum(marks) - 1
        self.values: dict[str, Array] = {
            name: np.empty(
                (len(self._lengths) if name in self._of_rows else int(marks.sum()), size), np.float32
            )
            for name, size in graph.outputs.items()
        }

    def asked(self, rows: Array) -> dict[str, Array]:
        """What the graph has to be asked about these rows, padded."""
        return {ASKED: np.flatnonzero(self._marked(rows)[0])} if self._by_cell else {}

    def put(self, rows: Array, said: Sequence[Array]) -> None:
        """Take in what was said of these rows."""
        for (name, values), part in zip(self.values.items(), said, strict=True):
            if name in self._of_rows:
                values[rows] = part
            else:
                cells, tokens = self._marked(rows)
                values[self._ranks[tokens]] = part if self._by_cell else part[cells]

    def _marked(self, rows: Array) -> tuple[Array, Array]:
        """Which cells (rows, longest) of these rows are marked tokens, and which of all tokens they are."""
        column = np.arange(self._lengths[rows].max())
        cells = column < self._lengths[rows, None]
        tokens = (self._starts[rows, None] + column)[cells]
        cells[cells] = self._marks[tokens]
        return cells, tokens[self._marks[tokens]]


def cut(lengths: Array, most: int, start: float) -> list[tuple[int, int]]:
    """The runs `[first, last)` of ascending `lengths` that cost least, of at most `most` padded tokens or one row.

    A run costs its rows times its longest, hence last, row, and `start`, all in tokens.
    """
    best = np.zeros(len(lengths) + 1)
    begins = np.zeros(len(lengths), np.int64)
    for last, length in enumerate(lengths.tolist(), 1):
        first = max(0, last - max(1, most // length))
        costs = best[first:last] + np.arange(last - first, 0, -1) * length
        chosen = int(costs.argmin())
        best[last], begins[last - 1] = costs[chosen] + start, first + chosen
    runs = []
    last = len(lengths)
    while last:
        runs.append((int(begins[last - 1]), last))
        last = runs[-1][0]
    return runs[::-1]


def pad(flat: dict[str, Array], starts: Array, lengths: Array) -> dict[str, Array]:
    """Rows of packed arrays (tokens, ...) as rectangles (rows, longest, ...), zero after the end of a row."""
    column = np.arange(lengths.max())
    inside = column < lengths[:, None]
    places = np.where(inside, starts[:, None] + column, 0)
    cells = {name: values[places] for name, values in flat.items()}
    return {
        name: values * inside.reshape(*inside.shape, *[1] * (values.ndim - 2))
        for name, values in cells.items()
    }
