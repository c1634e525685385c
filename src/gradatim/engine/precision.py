"""int8 or fp32: whichever this processor is faster with, measured once for each model and remembered."""

from __future__ import annotations

import time

import numpy as np
import onnxruntime as ort

from gradatim.engine.graph import OnnxGraph, Precision
from gradatim.engine.names import ASKED
from gradatim.engine.remembered import remembered
from gradatim.types import Array

ROWS, TRIES = 4, 3


def faster(model: bytes, eight: OnnxGraph, threads: int) -> Precision:
    """The faster form of a model that holds both, loaded as `eight`.

    Measuring takes about 0.2 s for an encoder of 6 layers. What came out is kept for this model, processor, number of
    threads and version of ONNX Runtime.
    """
    facts = [eight.identity, str(threads), ort.__version__]

    def measure() -> Precision:
        return "int8" if _seconds(eight) <= _seconds(OnnxGraph(model, threads, "fp32")) else "fp32"

    return remembered(facts, ("int8", "fp32"), measure)


def _seconds(graph: OnnxGraph) -> float:
    """What one call takes at its best, after a first one."""
    lengths = np.full(ROWS, graph.timed_on)
    padded: dict[str, Array] = {name: np.zeros((ROWS, graph.timed_on), np.int64) for name in graph.flat}
    if graph.asked:
        padded[ASKED] = np.zeros(1, np.int64)
    graph(padded, lengths)
    seconds = []
    for _ in range(TRIES):
        began = time.perf_counter()
        graph(padded, lengths)
        seconds.append(time.perf_counter() - began)
    return min(seconds)
