"""The ninth rung: every neural model once more in int8, and the gate that says whether to keep it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from gradatim.engine.artifact import read_artifact, write_artifact
from gradatim.export.quantise import to_int8
from gradatim.ladder.decision import fit_decision
from gradatim.ladder.records import Row
from gradatim.ladder.rung import Problem
from gradatim.pipelines.open import load
from gradatim.types import Candidate

SUFFIX = "-int8"


class Int8Rung:
    """Weights and activations in 8 bits; decisions are fitted again, since logits move."""

    name = "int8"

    def cost_s(self, problem: Problem) -> float:
        """Nothing is trained: converting takes a second or two a model, whatever the budget."""
        return 0.0

    def fit(self, problem: Problem) -> list[Candidate]:
        sources = [candidate for candidate, _ in problem.below if _is_neural(candidate)]
        made = []
        for done, source in enumerate(sources):
            made.append(self._convert(problem, source))
            problem.progress((done + 1) / len(sources))
        return made

    def _convert(self, problem: Problem, source: Candidate) -> Candidate:
        began = time.perf_counter()
        artifact = read_artifact(Path(source.artifact))
        path = problem.folder / f"{source.name}{SUFFIX}.gradatim"
        members = {
            "model.onnx": to_int8(artifact.member("model.onnx")),
            "tokenizer.json": artifact.member("tokenizer.json"),
        }

        def write(decision: dict[str, Any] | None) -> None:
            write_artifact(
                path,
                kind="onnx",
                task=artifact.task,
                encoder=artifact.encoder,
                members=members,
                decision=decision,
            )

        write(None)
        dev, task = problem.corpus.dev, problem.corpus.task
        logits = load(path, threads=problem.threads).logits(dev.texts, dev.pairs)
        write(fit_decision(logits, dev.targets, multi_label=task.multi_label).settings())
        made_s = time.perf_counter() - began
        return Candidate(path.stem, self.name, str(path), made_s, source.params, source.name)


def gate(row: Row, source: Row, tolerance: float) -> str | None:
    """Why an int8 model is refused, or None: it must be measured faster and within `tolerance` on dev."""
    ours, theirs = row.measurement, source.measurement
    reasons = []
    if ours.p50_ms >= theirs.p50_ms:
        reasons.append(f"not faster: {ours.p50_ms:.2f} ms against {theirs.p50_ms:.2f} ms")
    if ours.quality < theirs.quality - tolerance:
        reasons.append(
            f"loses {theirs.quality - ours.quality:.4f} on dev, more than the tolerance of {tolerance:g}"
        )
    return "; ".join(reasons) or None


def _is_neural(candidate: Candidate) -> bool:
    return read_artifact(Path(candidate.artifact)).kind == "onnx" and candidate.rung != Int8Rung.name
