"""Measures an exported model by one protocol, in a fresh process that never loads torch.

Run as `python -m gradatim.ladder.measure ARTIFACT TEXTS.jsonl OUT.npz THREADS`: batch-1 latency over
a spread of texts, then all texts in batches. `measure` starts that process and others for the cold
start, and adds quality from the answers that came back.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from gradatim.engine.atomic import atomic_file
from gradatim.errors import GradatimError
from gradatim.ladder.decision import judged_apart
from gradatim.ladder.rung import Problem
from gradatim.tasks.judged import load_judged
from gradatim.types import Arrays, Candidate, Examples, Measurement

LATENCY_TEXTS = 400
LATENCY_S = 3.0  # a slow model is timed on fewer texts
WARM_UP = 20
COLD_STARTS = 3
COLD = """
import json, sys, time
from gradatim.tasks.judged import load_judged
sample = json.loads(sys.stdin.readline())
load_judged(sys.argv[1], threads=int(sys.argv[2]))(*sample)
print("\\n%.6f" % time.time())
"""
COLD_CHARACTERS = 2000  # of the first text: what is timed is the start
ANSWERS = ".measured.npz"
THREAD_LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def write_texts(examples: Examples, path: Path) -> None:
    """Write what the measuring process reads: one JSON array of text, or of text and pair, a line."""
    rows = zip(examples.texts, *([] if examples.pairs is None else [examples.pairs]), strict=True)
    with atomic_file(path) as handle:
        handle.write("".join(json.dumps(row) + "\n" for row in rows).encode())


def measure(candidate: Candidate, problem: Problem, texts: Path) -> Measurement:
    """All figures of a candidate, on dev; its answers stay beside it (`measured_answers`).

    `texts` is the file that `write_texts` made of dev. Raises GradatimError if the candidate's file
    cannot be run in a process without torch.
    """
    artifact, corpus, threads = Path(candidate.artifact), problem.corpus, str(problem.threads)
    environment = {**os.environ, **dict.fromkeys(THREAD_LIMITS, threads)}
    # First: the choice between int8 and fp32, made once on each machine, is then behind the model.
    cold_start_s = _cold_start(artifact, corpus.dev, environment)
    out = artifact.with_suffix(ANSWERS)
    program = [sys.executable, "-m", "gradatim.ladder.measure"]
    _finish([*program, str(artifact), str(texts), str(out), threads], environment, artifact)
    answers = measured_answers(candidate)
    figures = {name: float(answer) for name, answer in answers.items() if answer.ndim == 0}
    judged = corpus.task, corpus.dev, judged_apart(answers, corpus.dev.targets)
    interval = problem.goal.judge(problem.metric, *judged, seed=problem.seed)
    return Measurement(
        quality=interval.value,
        low=interval.low,
        high=interval.high,
        p50_ms=figures["p50_ms"],
        p95_ms=figures["p95_ms"],
        texts_per_s=figures["texts_per_s"],
        size_mb=artifact.stat().st_size / 1e6,
        peak_mb=figures["peak_mb"],
        cold_start_s=cold_start_s,
        cut_tokens=int(figures["cut_tokens"]),
        extra=problem.goal.scores(*judged),
    )


def measured_answers(candidate: Candidate) -> Arrays:
    """What the measured file answered on dev."""
    with np.load(Path(candidate.artifact).with_suffix(ANSWERS), allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


def _cold_start(artifact: Path, dev: Examples, environment: dict[str, str]) -> float:
    """Median seconds from starting a process to its first prediction."""
    command = [sys.executable, "-c", COLD, str(artifact), environment[THREAD_LIMITS[0]]]
    line = json.dumps([texts[0][:COLD_CHARACTERS] for texts in (dev.texts, dev.pairs) if texts is not None])
    seconds = []
    for _ in range(COLD_STARTS):
        began = time.time()  # the clock that both processes have
        seconds.append(float(_finish(command, environment, artifact, line).split()[-1]) - began)
    return statistics.median(seconds)


def _finish(command: list[str], environment: dict[str, str], artifact: Path, line: str = "") -> str:
    """Run a process to its end, and what it said; raises GradatimError with the last line of its complaint."""
    done = subprocess.run(
        command, env=environment, input=line, capture_output=True, text=True, check=False, errors="replace"
    )
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["it said nothing"]
        raise GradatimError(f"measuring {artifact} failed with exit code {done.returncode}: {said[-1]}")
    return done.stdout


def _run(artifact: str, texts_file: str, out: str, threads: int) -> None:
    """The measuring process: loads the artifact, times it, and writes what it saw."""
    rows = [json.loads(line) for line in Path(texts_file).read_text(encoding="utf-8").splitlines()]
    texts = [row[0] for row in rows]
    pairs = [row[1] for row in rows] if len(rows[0]) == 2 else None
    model = load_judged(artifact, threads=threads)
    chosen = np.unique(np.linspace(0, len(rows) - 1, LATENCY_TEXTS).astype(int))
    chosen = np.random.default_rng(0).permutation(chosen)
    _latencies(model, [rows[i] for i in chosen[:WARM_UP]])
    latencies = _latencies(model, [rows[i] for i in chosen])
    some = rows[:2]  # what only batches need is loaded by the first
    model.answers([row[0] for row in some], None if pairs is None else [row[1] for row in some])
    peak_mb = peak_bytes() / 1e6  # before there are answers to all texts
    began = time.perf_counter()
    answers = model.answers(texts, pairs)
    elapsed = time.perf_counter() - began
    assert "torch" not in sys.modules, "the runtime must not load torch"
    np.savez(
        out,
        **answers,
        p50_ms=np.quantile(latencies, 0.5),
        p95_ms=np.quantile(latencies, 0.95),
        texts_per_s=len(texts) / elapsed,
        peak_mb=peak_mb,
    )


def _latencies(model: Any, rows: list[list[str]]) -> list[float]:
    """Milliseconds of each row by itself, of fewer where they take long."""
    taken, deadline = [], time.perf_counter() + LATENCY_S
    for row in rows:
        began = time.perf_counter()
        model(*row)
        taken.append(1e3 * (time.perf_counter() - began))
        if began > deadline:
            break
    return taken


def peak_bytes() -> int:
    """The most memory this process has held. (`ru_maxrss` would count the parent's, before exec.)"""
    try:
        fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        return int(fields["VmHWM"].split()[0]) * 1024
    except (OSError, KeyError):  # not Linux
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    _run(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
