"""Climbs the ladder on real data sets and compares the chosen model with transformers running the teacher.

    GRADATIM_DATA=... python -m benchmarks.classify [NAME ...] [--out FOLDER] [--rounds 3]

Every climb is one call of the public command line in a process of its own. Afterwards the chosen
file and transformers (fp32, inference mode, same threads, same texts, warmed) are timed alternately at
batch 1, each round in a fresh process. Prints one Markdown section per data set.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

from gradatim.ladder.machine import described

CORE = ["--rungs", "majority,ngram,linear,frozen,finetuned,int8"]
RECIPES: dict[str, list[str]] = {
    "sst2": [],
    "glue/SST-2": [
        "--rungs",
        "majority,ngram,linear,frozen,finetuned,student-3l,int8",
        "--max-train-min",
        "12",
    ],
    "trec": CORE,
    "banking77": CORE,
    "imdb": [*CORE, "--max-train-min", "14"],
    "goemotions": [*CORE, "--max-train-min", "8"],
    "mrpc": [*CORE, "--metric", "f1"],
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=list(RECIPES), help="data sets under GRADATIM_DATA")
    parser.add_argument("--out", type=Path, default=Path("runs"), help="where climbs and results go")
    parser.add_argument("--rounds", type=int, default=3, help="alternating timings of us and the peer")
    parser.add_argument("--resume", action="store_true", help="continue climbs that were stopped")
    options = parser.parse_args()
    print(f"Processor: {described()}\n")
    for name in options.names:
        folder = options.out / name.replace("/", "-")
        folder.mkdir(parents=True, exist_ok=True)
        command = ["gradatim", "fit", name, *RECIPES.get(name, [])]
        command += ["--resume"] * options.resume
        files = ["--out", str(folder / "model.gradatim"), "--report", str(folder / "report.html")]
        began = time.perf_counter()
        done = subprocess.run([sys.executable, "-m", *command, *files], stdout=subprocess.DEVNULL)
        if done.returncode:
            return done.returncode
        print(section(name, command, folder, time.perf_counter() - began, options.rounds), flush=True)
    return 0


def section(name: str, command: list[str], folder: Path, wall_s: float, rounds: int) -> str:
    """One climb as Markdown: every candidate, the choice, the test figures, and the peer."""
    climb = folder / "model.climb"
    rows = [row for done in sorted(climb.glob("*/done.json")) for row in json.loads(done.read_text())["rows"]]
    rows.sort(key=lambda row: row["measurement"]["p50_ms"])
    card = json.loads(_run("gradatim", "card", str(folder / "model.gradatim"), "--json"))
    chosen = card["provenance"]["candidate"]
    lines = [
        f"### {name}",
        "",
        f"`{' '.join(command)}`, {wall_s:.0f} s in all. {card['provenance']['splits']}.",
        "",
        f"| candidate | dev {card['provenance']['metric']} (95 %) | p50 / p95 ms | texts/s | MB | RAM MB | train s |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        m, c = row["measurement"], row["candidate"]
        bold = "**" if c["name"] == chosen else ""
        lines.append(
            f"| {bold}{c['name']}{bold} | {m['quality']:.4f} ({m['low']:.3f}-{m['high']:.3f}) "
            f"| {m['p50_ms']:.2f} / {m['p95_ms']:.2f} | {m['texts_per_s']:,.0f} | {m['size_mb']:.1f} "
            f"| {m['peak_mb']:.0f} | {c['made_s']:.0f} |"
        )
    tests = {k: v for k, v in card["metrics"].items() if k.startswith("test_")}
    lines += ["", f"Chosen: {chosen}. " + "".join(f"{k}: {v:.4f}. " for k, v in tests.items())]
    teacher = climb / "shared" / "finetuned"
    if teacher.is_dir():
        lines.append(compare(folder / "model.gradatim", teacher, climb / "dev.jsonl", rounds))
    return "\n".join(lines) + "\n"


def compare(artifact: Path, teacher: Path, texts: Path, rounds: int) -> str:
    """Median p50 at batch 1 of the chosen file and of transformers fp32 running the teacher, alternating."""
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(float(_run("benchmarks.latency", "artifact", str(artifact), str(texts))))
        theirs.append(float(_run("benchmarks.latency", "transformers", str(teacher), str(texts))))
    mine, peer = statistics.median(ours), statistics.median(theirs)
    return (
        f"p50 at batch 1: {mine:.2f} ms; transformers fp32 with the fine-tuned teacher {peer:.2f} ms: "
        f"1/{peer / mine:.1f} (medians of {rounds} alternating rounds)."
    )


def _run(*command: str) -> str:
    return subprocess.run(
        [sys.executable, "-m", *command], check=True, capture_output=True, text=True
    ).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
