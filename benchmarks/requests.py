"""A model under requests: latency, two callers at once, and memory over a hundred thousand different texts.

    GRADATIM_DATA=... python -m benchmarks.requests MODEL.gradatim [--count 100000] [--threads 2]

Texts are sentences of film reviews (imdb, unsup), one a request, tokeniser and post-processing included.
"""

from __future__ import annotations

import argparse
import json
import lzma
import os
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np

import gradatim
from gradatim.pipelines.classification import TextClassifier

LATENCIES, WARM_UP, PARTS = 2000, 200, 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()
    texts = sentences(options.count)
    model = gradatim.load(options.model, threads=options.threads)
    ask(model, texts[:WARM_UP])
    chosen = texts[WARM_UP : WARM_UP + LATENCIES]
    print(f"| {LATENCIES} requests | p50 ms | p95 ms | p99 ms | texts/s |\n|---|---:|---:|---:|---:|")
    print(row("one caller", [ask(model, chosen)]))
    with ThreadPoolExecutor(2) as pool:
        print(row("two callers", list(pool.map(lambda part: ask(model, part), (chosen[::2], chosen[1::2])))))
    print("\n| requests so far | resident MB |\n|---:|---:|")
    print(f"| 0 | {resident_mb():.0f} |", flush=True)
    for done in range(0, len(texts), len(texts) // PARTS):
        part = texts[done : done + len(texts) // PARTS]
        ask(model, part)
        print(f"| {done + len(part):,} | {resident_mb():.0f} |", flush=True)


def sentences(count: int) -> list[str]:
    """So many different sentences, in the order of the reviews."""
    path = Path(os.environ["GRADATIM_DATA"]) / "imdb" / "unsup.jsonl.xz"
    with lzma.open(path, "rt", encoding="utf-8") as reviews:
        parts = (part for line in reviews for part in re.split(r"(?<=[.!?])\s+", json.loads(line)["text"]))
        found = list(islice(_different(part for part in parts if 3 <= len(part.split()) <= 100), count))
    if len(found) < count:
        raise SystemExit(f"there are only {len(found):,} sentences in {path}")
    return found


def _different(parts: Iterable[str]) -> Iterator[str]:
    seen = set()
    for part in parts:
        if part not in seen:
            seen.add(part)
            yield part


def ask(model: TextClassifier, texts: Sequence[str]) -> list[float]:
    """Seconds of each request."""
    took = []
    for text in texts:
        began = time.perf_counter()
        model(text)
        took.append(time.perf_counter() - began)
    return took


def row(name: str, callers: list[list[float]]) -> str:
    """One line of the table; callers work side by side, for as long as the slowest."""
    milliseconds = 1e3 * np.concatenate(callers)
    p50, p95, p99 = np.percentile(milliseconds, [50, 95, 99])
    rate = len(milliseconds) / max(sum(took) for took in callers)
    return f"| {name} | {p50:.2f} | {p95:.2f} | {p99:.2f} | {rate:,.0f} |"


def resident_mb() -> float:
    """What this process holds now, in 10^6 bytes."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    main()
