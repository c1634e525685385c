"""Encoding speed: gradatim's engine beside its peers, the same weights, texts, threads and process conditions.

    GRADATIM_DATA=... python -m benchmarks.encode [--quick] [--json FILE] [--out FOLDER] [--systems NAME ...]

MiniLM-L6 fine-tuned on SST-2 by benchmarks/recipes/sst2.toml. Every system has a process of its own, all others
stopped while it works; systems alternate, and medians of the rounds are printed. A request holds 32 texts, in the
order in which they arrive or sorted by length; `whole` hands over all texts at once to systems that sort by
themselves. Times run from text to logits. Error is the largest difference from float64 logits, as a share of their
deviation.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.encoders import MAX_LENGTH, SYSTEMS, prepare, reference
from benchmarks.finetune import run
from benchmarks.workers import Worker, serve
from gradatim.types import Corpus

BATCH, ROUNDS, SELF_SORTING = 32, 5, ("gradatim", "sentence-transformers")
COLUMNS = [
    "system",
    "arrival tokens/s",
    "sorted",
    "whole",
    "p50 ms",
    "p95 ms",
    "peak MB",
    "error",
    "SST-2 dev",
]
SIZES = {"sst2": (400, 160), "imdb": (64, 32), "mixed": (200, 96)}  # texts, and those of a quick run


@dataclass(frozen=True)
class Result:
    """One row of the table; latencies are those of the same texts one by one."""

    system: str
    texts: str
    order: str
    tokens_per_s: float
    p50_ms: float
    p95_ms: float
    peak_mb: float
    error: float
    accuracy: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--quick", action="store_true", help="one round over fewer texts, in under five minutes"
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--out", type=Path, default=Path("runs/encode"))
    parser.add_argument("--systems", nargs="+", default=list(SYSTEMS), choices=list(SYSTEMS))
    parser.add_argument("--texts", nargs="+", default=list(SIZES), choices=list(SIZES))
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument(
        "--worker", choices=list(SYSTEMS), help="serve one system on standard input and output"
    )
    options = parser.parse_args()
    if options.worker:
        serve(lambda: answers(options.worker, options.out, options.threads))
        return
    sst2, sets = texts(options.quick)
    weights(options.out, sst2)
    sets = {name: sets[name] for name in options.texts}
    results = compare(options, sets, sst2.dev, 1 if options.quick else ROUNDS)
    print(table(results))
    if options.json:
        options.json.write_text(json.dumps([asdict(result) for result in results], indent=1))


def texts(quick: bool) -> tuple[Corpus, dict[str, list[str]]]:
    """SST-2, and the three sets that are timed."""
    from gradatim.data import load_corpus

    sst2, imdb = load_corpus("sst2"), load_corpus("imdb")
    assert imdb.test is not None
    pools = {"sst2": list(sst2.dev.texts), "imdb": list(imdb.test.texts)}
    sets = {name: _some(pool, SIZES[name][quick]) for name, pool in pools.items()}
    count = SIZES["mixed"][quick]
    mixed = [*_some(pools["sst2"], 3 * count // 4), *_some(pools["imdb"], count // 4)]
    sets["mixed"] = [mixed[i] for i in np.random.default_rng(0).permutation(len(mixed))]
    return sst2, sets


def weights(out: Path, corpus: Corpus) -> None:
    """The fine-tuned model as a Hugging Face folder with its head, and what each system makes of it."""
    if not (out / "hf" / "head.safetensors").is_file():
        from gradatim.checkpoint.folder import read_model, tokenizer_json
        from gradatim.ladder.teacher import save_teacher
        from gradatim.models.classifier import Classifier

        run("sst2", {}, out / "training")
        model = read_model(out / "training" / "model").model
        assert isinstance(model, Classifier)
        save_teacher(model, tokenizer_json(out / "training" / "model"), out / "hf")
    with contextlib.redirect_stdout(sys.stderr):  # what is printed by peers is no part of the table
        prepare(out / "hf", out, corpus)


def compare(options: argparse.Namespace, sets: dict[str, list[str]], dev: Any, rounds: int) -> list[Result]:
    """All systems on all sets, alternating."""
    counts = {name: _tokens(options.out, chosen) for name, chosen in sets.items()}
    exact = reference(options.out, list(dev.texts))
    workers = {name: worker(name, options) for name in options.systems}
    try:
        quality = {name: judge(worker, dev, exact) for name, worker in workers.items()}
        seconds: dict[tuple[str, str, str], list[float]] = {}
        delays: dict[tuple[str, str], list[float]] = {}
        for _ in range(rounds):
            for set_name, chosen in sets.items():
                for name, worker in workers.items():
                    for order, requests in _orders(name, chosen, counts[set_name]).items():
                        took = worker.ask("time", requests)
                        seconds.setdefault((name, set_name, order), []).append(sum(took))
                    alone = worker.ask("time", [[text] for text in chosen[:: max(1, len(chosen) // 200)]])
                    delays.setdefault((name, set_name), []).extend(alone)
        peaks = {name: float(worker.ask("peak")) for name, worker in workers.items()}
    finally:
        for worker in workers.values():
            worker.close()
    results = []
    for (name, set_name, order), took in seconds.items():
        alone = 1e3 * np.array(delays[name, set_name])
        speed = counts[set_name].sum() / statistics.median(took)
        p50, p95 = np.percentile(alone, 50), np.percentile(alone, 95)
        results.append(Result(name, set_name, order, speed, p50, p95, peaks[name], *quality[name]))
    return results


def _orders(system: str, chosen: list[str], counts: np.ndarray) -> dict[str, list[list[str]]]:
    by_length = [chosen[i] for i in np.argsort(-counts, kind="stable")]
    orders = {"arrival": _batches(chosen), "sorted": _batches(by_length)}
    return orders | ({"whole": [chosen]} if system.startswith(SELF_SORTING) else {})


def judge(worker: Worker, dev: Any, exact: np.ndarray) -> tuple[float, float]:
    """The largest error on SST-2 dev as a share of the logits' deviation, and accuracy in percent."""
    logits = np.array([row for batch in worker.ask("logits", _batches(list(dev.texts))) for row in batch])
    right = logits.argmax(1) == np.asarray(dev.targets)
    return float(np.abs(logits - exact).max() / exact.std()), 100 * float(right.mean())


def worker(name: str, options: argparse.Namespace) -> Worker:
    """A system that has been warmed."""
    given = ["--out", str(options.out), "--threads", str(options.threads)]
    opened = Worker("benchmarks.encode", name, given, options.out / "workers.log")
    opened.ask("time", _batches(["neither good nor bad, a film like many others of its kind"] * BATCH * 4))
    return opened


def answers(name: str, out: Path, threads: int) -> Callable[[str, Any], Any]:
    """Logits of batches, or the seconds that they take."""
    logits = SYSTEMS[name](out, threads)

    def answer(what: str, requests: Any) -> Any:
        if what == "logits":
            return [np.asarray(logits(batch), dtype=np.float64).tolist() for batch in requests]
        seconds = []
        for batch in requests:
            began = time.perf_counter()
            logits(batch)
            seconds.append(time.perf_counter() - began)
        return seconds

    return answer


def table(results: list[Result]) -> str:
    """One Markdown table per set of texts, the fastest first."""
    lines = []
    for name in dict.fromkeys(result.texts for result in results):
        own = [result for result in results if result.texts == name]
        lines += [
            f"### {name}",
            "",
            f"| {' | '.join(COLUMNS)} |",
            "|---" + "|---:" * (len(COLUMNS) - 1) + "|",
        ]
        rows = {}
        for system in dict.fromkeys(result.system for result in own):
            by_order = {result.order: result for result in own if result.system == system}
            one = by_order["arrival"]
            orders = [by_order.get(order) for order in ("arrival", "sorted", "whole")]
            speeds = ["" if result is None else f"{result.tokens_per_s:,.0f}" for result in orders]
            rows[system] = (
                one.tokens_per_s,
                f"| {system} | {' | '.join(speeds)} | {one.p50_ms:.2f} | {one.p95_ms:.2f} | {one.peak_mb:.0f} "
                f"| {one.error:.4f} | {one.accuracy:.1f} |",
            )
        lines += [line for _, line in sorted(rows.values(), reverse=True)] + [""]
    return "\n".join(lines)


def _tokens(out: Path, chosen: list[str]) -> np.ndarray:
    from gradatim.text.pieces import PieceEncoder

    tokenizer = (out / "hf" / "tokenizer.json").read_text(encoding="utf-8")
    encoder = PieceEncoder(tokenizer, max_length=MAX_LENGTH, truncate=True)
    lengths: np.ndarray = encoder.encode(chosen).arrays["lengths"]
    return lengths


def _some(pool: list[str], count: int) -> list[str]:
    return [pool[i] for i in np.linspace(0, len(pool) - 1, count).astype(int)]


def _batches(chosen: list[str]) -> list[list[str]]:
    return [chosen[i : i + BATCH] for i in range(0, len(chosen), BATCH)]


if __name__ == "__main__":
    main()
