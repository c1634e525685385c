"""Translation speed: gradatim's decoder beside its peers, the same weights, sources, threads and process conditions.

    GRADATIM_DATA=... python -m benchmarks.translate [--model FOLDER] [--quick] [--json FILE] [--out FOLDER]

Without a model: a Marian of 6 + 6 layers, width 512 and 32,000 words with random weights, which writes 30 tokens for
every source. With one (recipe multi30k-marian): test_2016_flickr of Multi30k, and the BLEU of what is written.
Sources are sorted by length and handed over in batches as ids, so that no tokenizer is timed; every system has a
process of its own, all others stopped while it works; systems alternate, and medians of the rounds are printed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.translators import END, SYSTEMS, prepare
from benchmarks.workers import Worker, serve

MODES = {"greedy, 32 at once": (1, 32), "4 beams, 16 at once": (4, 16), "greedy, one by one": (1, 1)}
WRITTEN, ROUNDS = 30, 5
COUNTS = {"greedy, 32 at once": (128, 64), "4 beams, 16 at once": (64, 32), "greedy, one by one": (24, 12)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, help="A model folder with preset marian, trained on Multi30k.")
    parser.add_argument("--quick", action="store_true", help="one round over fewer sources")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--out", type=Path, default=Path("runs/translate"))
    parser.add_argument("--systems", nargs="+", default=list(SYSTEMS), choices=list(SYSTEMS))
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument(
        "--worker", choices=list(SYSTEMS), help="serve one system on standard input and output"
    )
    options = parser.parse_args()
    if options.worker:
        serve(lambda: answers(options.worker, options.out, options.threads))
        return
    sources, references = prepare(options.model, options.out)
    results = compare(options, sources, references)
    print(table(results))
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))


def answers(name: str, out: Path, threads: int) -> Callable[[str, Any], Any]:
    """Ids written for batches of ids, and the seconds that they took."""
    write = SYSTEMS[name](out, threads)

    def answer(_what: str, request: Any) -> Any:
        batches, beams, length = request
        began = time.perf_counter()
        written = [row for batch in batches for row in write(batch, beams, length)]
        return [time.perf_counter() - began, written]

    return answer


def compare(
    options: argparse.Namespace, sources: list[list[int]], references: list[str] | None
) -> list[dict[str, Any]]:
    """All systems in all modes, alternating."""
    given = ["--out", str(options.out), "--threads", str(options.threads)]
    log = options.out / "workers.log"
    workers = {name: Worker("benchmarks.translate", name, given, log) for name in options.systems}
    length = WRITTEN if references is None else None
    seconds: dict[tuple[str, str], list[float]] = {}
    tokens: dict[tuple[str, str], int] = {}
    scores: dict[tuple[str, str], float] = {}
    try:
        for worker in workers.values():
            for beams, size in MODES.values():
                worker.ask("write", [[sources[: min(size, 8)]], beams, length])
        for turn in range(1 if options.quick else ROUNDS):
            for mode, (beams, size) in MODES.items():
                some = _spread(sources, COUNTS[mode][options.quick])
                batches = [some[at : at + size] for at in range(0, len(some), size)]
                for name, worker in workers.items():
                    took, written = worker.ask("write", [batches, beams, length])
                    seconds.setdefault((name, mode), []).append(took)
                    tokens[name, mode] = sum(map(len, written))
                    if references is not None and not turn and size > 1:
                        whole = [sources[at : at + size] for at in range(0, len(sources), size)]
                        scores[name, mode] = bleu(
                            options.out, worker.ask("write", [whole, beams, length])[1], references
                        )
        peaks = {name: float(worker.ask("peak")) for name, worker in workers.items()}
    finally:
        for worker in workers.values():
            worker.close()
    return [
        {
            "system": name, "mode": mode, "tokens_per_s": tokens[name, mode] / statistics.median(took),
            "ms_per_source": 1e3 * statistics.median(took) / COUNTS[mode][options.quick],
            "peak_mb": peaks[name], "bleu": scores.get((name, mode)),
        }
        for (name, mode), took in seconds.items()
    ]  # fmt: skip


def _spread(sources: list[list[int]], count: int) -> list[list[int]]:
    """So many of all lengths, the longest first."""
    return [sources[at] for at in np.linspace(0, len(sources) - 1, count).astype(int)]


def bleu(out: Path, written: list[list[int]], references: list[str]) -> float:
    """sacreBLEU of ids, against references in the order of the sources."""
    from gradatim.pipelines.overlap import overlap
    from gradatim.text.tokenizer import load_tokenizer

    tokenizer = load_tokenizer(out / "model" / "tokenizer.json")
    texts = [tokenizer.decode([token for token in row if token != END]) for row in written]
    return overlap(texts, references, "bleu")["bleu"]


def table(results: list[dict[str, Any]]) -> str:
    """Systems down, modes across: tokens written in a second, and BLEU where there is one."""
    lines = [
        f"| system | {' | '.join(f'{mode}, tokens/s | BLEU' for mode in MODES)} | peak MB |",
        f"|---{'|---:' * (2 * len(MODES) + 1)}|",
    ]
    for name in dict.fromkeys(result["system"] for result in results):
        own = {result["mode"]: result for result in results if result["system"] == name}
        cells = []
        for mode in MODES:
            score = own[mode]["bleu"]
            cells.append(
                f"{own[mode]['tokens_per_s']:,.0f} | {'' if score is None else format(score, '.1f')}"
            )
        lines.append(f"| {name} | {' | '.join(cells)} | {own[next(iter(MODES))]['peak_mb']:,.0f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
