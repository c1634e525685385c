"""What one layer costs by length and width, measured: table 1 of Vaswani et al. (2017) on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from gradatim.nn.attention import attend, attend_near

HEAD_WIDTH, KERNEL, WINDOW = 64, 3, 64
LEAST_S, MOST_TRIES = 0.05, 50  # a cell is timed until it has taken that long in all, or so often
FLOOR_S = 3e-4  # below it a call is mostly the call itself, which no exponent describes


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds of one layer on a row of `length` tokens of `width`."""

    layer: str
    length: int
    width: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Law:
    """seconds = factor * length^by_length * width^by_width, and what theory says of both exponents."""

    by_length: float
    by_width: float
    factor: float
    theory: tuple[int, int]
    formula: str


THEORY: Mapping[str, tuple[tuple[int, int], str]] = {
    "self-attention": ((2, 1), "n^2 d"),
    "recurrent": ((1, 2), "n d^2"),
    "convolutional": ((1, 2), f"k n d^2, k = {KERNEL}"),
    "local attention": ((1, 1), f"n w d, w = {WINDOW}"),
}


def measure(lengths: Sequence[int], widths: Sequence[int]) -> Iterator[Cost]:
    """The median time of every layer at every size, one thread pool, float32, without gradients.

    As in the table: attention is the mixing of given queries, keys and values, without the projections around it.
    """
    for width in widths:
        for length in lengths:
            for name, call in _layers(length, width).items():
                yield Cost(name, length, width, _seconds(call))


def fit(costs: Sequence[Cost]) -> dict[str, Law]:
    """Exponents by least squares on logarithms, of each layer's cells that take long enough to be about the layer."""
    laws = {}
    for name, (theory, formula) in THEORY.items():
        own = [cost for cost in costs if cost.layer == name and cost.seconds > FLOOR_S]
        rows = np.array([[1, np.log(cost.length), np.log(cost.width)] for cost in own])
        if len(own) < 3 or np.linalg.matrix_rank(rows) < 3:
            continue
        solved, *_ = np.linalg.lstsq(rows, np.log([cost.seconds for cost in own]), rcond=None)
        laws[name] = Law(float(solved[1]), float(solved[2]), float(np.exp(solved[0])), theory, formula)
    return laws


def crossover(costs: Sequence[Cost], one: str, other: str) -> dict[int, float]:
    """For each width the length at which `one` begins to take longer than `other`, between those that were measured."""
    found = {}
    for width in sorted({cost.width for cost in costs}):
        times = {
            name: {cost.length: cost.seconds for cost in costs if (cost.layer, cost.width) == (name, width)}
            for name in (one, other)
        }
        lengths = np.array(sorted(times[one].keys() & times[other].keys()))
        excess = np.array([np.log(times[one][length] / times[other][length]) for length in lengths.tolist()])
        above = np.flatnonzero((excess[1:] > 0) & (excess[:-1] <= 0))
        if len(above):
            at = int(above[-1])
            share = -excess[at] / (excess[at + 1] - excess[at])
            found[width] = float(lengths[at] * (lengths[at + 1] / lengths[at]) ** share)
    return found


def _layers(length: int, width: int) -> dict[str, Callable[[], object]]:
    heads = width // HEAD_WIDTH
    q, k, v = (torch.randn(1, heads, length, HEAD_WIDTH) for _ in range(3))
    row = torch.randn(length, 1, width)
    recurrent, convolutional = nn.RNN(width, width), nn.Conv1d(width, width, KERNEL, padding=KERNEL // 2)
    channels: Tensor = row.permute(1, 2, 0).contiguous()
    return {
        "self-attention": lambda: attend(q, k, v),
        "recurrent": lambda: recurrent(row),
        "convolutional": lambda: convolutional(channels),
        "local attention": lambda: attend_near(q, k, v, WINDOW),
    }


@torch.inference_mode()
def _seconds(call: Callable[[], object]) -> float:
    call()
    taken: list[float] = []
    while sum(taken) < LEAST_S and len(taken) < MOST_TRIES:
        began = time.perf_counter()
        call()
        taken.append(time.perf_counter() - began)
    return float(np.median(taken))
