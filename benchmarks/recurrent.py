"""Recurrent layers in training on a CPU, beside torch's own: tokens per second, there and back through time.

    GRADATIM_DATA=... python -m benchmarks.recurrent [--cells lstm gru] [--rounds 5] [--tokens 8192]

Rows of real lengths in batches that are sorted by length inside, random vectors for words. Peers: `torch.nn` padded to
the longest row, where every token of a row up to the padding is right (both directions need packing), and packed
(`pack_padded_sequence`), for which the rows of a batch are sorted. Systems alternate in one process, each warmed.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

from gradatim.data import load_texts
from gradatim.nn.packed import Layout
from gradatim.nn.recurrent import Recurrent
from gradatim.train.memory import keep_freed_memory
from gradatim.train.precision import bf16_pays

Batches = list[list[int]]
CASES = {  # rows of a batch, width in, hidden width, layers, both directions
    "sentences (SST-2), both directions": (64, 100, 256, 1, True),
    "reviews (IMDB, at most 512 words), three layers": (32, 200, 400, 3, False),
    "streams of 35 words, two layers": (20, 650, 650, 2, False),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", nargs="+", default=["lstm", "gru"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=8192, help="of a case, at least")
    options = parser.parse_args()
    keep_freed_memory()
    print(f"{torch.get_num_threads()} threads\n")
    print("| rows | cell | type | gradatim | torch, packed | torch, padded | gradatim is, of the faster |")
    print("|---|---|---|---:|---:|---:|---:|")
    for case, (rows, width, hidden, depth, both) in CASES.items():
        batches = batched(lengths(case), rows, options.tokens)
        for cell in options.cells:
            layer = Recurrent(cell, width, hidden, num_layers=depth, bidirectional=both).train()
            for kind in ("bf16", "fp32") if bf16_pays() else ("fp32",):
                rates = measured(layer, batches, kind == "bf16", options.rounds)
                best = max(rate for name, rate in rates.items() if name != "gradatim")
                cells = [f"{rates[name]:,.0f}" if name in rates else "" for name in SYSTEMS]
                print(
                    f"| {case} | {cell} | {kind} | {' | '.join(cells)} | {rates['gradatim'] / best:.2f} x |",
                    flush=True,
                )


def lengths(case: str) -> np.ndarray:
    """Words of each row."""
    if case.startswith("streams"):
        return np.full(10_000, 35)
    texts, _ = load_texts("sst2" if "SST-2" in case else "imdb")
    return np.array([min(512, max(1, len(text.split()))) for text in texts[:10_000]])


def batched(sizes: np.ndarray, rows: int, tokens: int) -> Batches:
    """Random batches of rows of similar length, the longest first, until there are so many tokens."""
    rng = np.random.default_rng(0)
    sizes = np.sort(sizes[rng.permutation(len(sizes))[: 50 * rows]])[::-1]
    every = [sizes[start : start + rows].tolist() for start in range(0, len(sizes), rows)]
    found: Batches = []
    for place in rng.permutation(len(every)):
        found.append(every[place])
        if sum(map(sum, found)) >= tokens:
            break
    return found


def measured(layer: Recurrent, batches: Batches, bf16: bool, rounds: int) -> dict[str, float]:
    """Median tokens per second of each system that can read these rows."""
    systems = {name: SYSTEMS[name] for name in SYSTEMS if name != "padded" or not layer.bidirectional}
    taken: dict[str, list[float]] = {name: [] for name in systems}
    width = layer.layers[0].input_size
    texts = [(torch.randn(sum(sizes), width), sizes) for sizes in batches]
    for at in range(1 + rounds):
        for name, system in systems.items():
            began = time.perf_counter()
            for x, sizes in texts:
                with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                    out = system(layer, x.requires_grad_(), sizes)
                out.float().square().mean().backward()
            if at:
                taken[name].append(time.perf_counter() - began)
    tokens = sum(map(sum, batches))
    return {name: tokens / statistics.median(seconds) for name, seconds in taken.items()}


def own(layer: Recurrent, x: Tensor, sizes: list[int]) -> Tensor:
    return layer(x, Layout.of(sizes))  # type: ignore[no-any-return]


def packed(layer: Recurrent, x: Tensor, sizes: list[int]) -> Tensor:
    """torch's layers one after the other over packed rows, and their states as rows again."""
    rows = pack_padded_sequence(pad_sequence(list(x.split(sizes))), torch.tensor(sizes))
    for part in layer.layers:
        rows, _ = part(rows)
    return pad_packed_sequence(rows)[0]


def padded(layer: Recurrent, x: Tensor, sizes: list[int]) -> Tensor:
    """The same over a padded grid."""
    grid = pad_sequence(list(x.split(sizes)))
    for part in layer.layers:
        grid, _ = part(grid)
    return grid


SYSTEMS: dict[str, Callable[[Recurrent, Tensor, list[int]], Tensor]] = {
    "gradatim": own,
    "packed": packed,
    "padded": padded,
}

if __name__ == "__main__":
    main()
