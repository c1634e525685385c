"""int8 or fp32: whichever this processor is faster with, measured once for each model and remembered."""

from __future__ import annotations

import contextlib
import hashlib
import time
from pathlib import Path

import numpy as np
import onnxruntime as ort

from gradatim.cache import cache_folder
from gradatim.engine import processor
from gradatim.engine.atomic import atomic_file
from gradatim.engine.graph import OnnxGraph, Precision
from gradatim.engine.names import ASKED
from gradatim.types import Array

ROWS, TRIES = 4, 3


def faster(model: bytes, eight: OnnxGraph, threads: int) -> Precision:
    """The faster form of a model that holds both, loaded as `eight`.

    Measuring takes about 0.2 s for an encoder of 6 layers. What came out is kept in gradatim's cache folder, for
    this model, processor, number of threads and version of ONNX Runtime; a cache that cannot be written is no error.
    """
    facts = [eight.identity, processor.name(), *sorted(processor.flags()), str(threads), ort.__version__]
    kept = cache_folder() / "precision" / hashlib.sha256("\n".join(facts).encode()).hexdigest()[:32]
    for known in ("int8", "fp32"):
        if _read(kept) == known:
            return known
    plain = OnnxGraph(model, threads, "fp32")
    chosen: Precision = "int8" if _seconds(eight) <= _seconds(plain) else "fp32"
    with contextlib.suppress(OSError):
        kept.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(kept) as handle:
            handle.write(chosen.encode())
    return chosen


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""


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
