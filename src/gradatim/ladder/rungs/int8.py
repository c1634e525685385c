"""The ninth rung: every neural model once more in int8, and the gate that says whether to keep it."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gradatim.engine.artifact import Artifact, read_artifact, write_artifact
from gradatim.engine.onnx import OnnxSession
from gradatim.export.calibration import rows_alone
from gradatim.export.quantise import Quantiser
from gradatim.ladder.decision import fit_decision, quality
from gradatim.ladder.records import Row
from gradatim.ladder.rung import Problem
from gradatim.pipelines.classification import TextClassifier
from gradatim.pipelines.open import open_parts
from gradatim.types import Array, Arrays, Candidate, Examples, Session

SUFFIX = "-int8"
CALIBRATION = 256  # training texts on which ranges of activations are found
PROBED = 256  # dev texts on which the parts are compared


class Trial(ABC):
    """Conversions of one model, judged on dev."""

    def __init__(self, problem: Problem, artifact: Artifact) -> None:
        self.problem, self.task = problem, artifact.task
        self.encoder, self.exact = open_parts(artifact, threads=problem.threads)
        texts = _some(problem.corpus.train, CALIBRATION)
        self.quantiser = Quantiser(artifact.member("model.onnx"), rows_alone(self.read(texts)))

    def read(self, examples: Examples) -> Arrays:
        """Examples as the model reads them."""
        return self.encoder.encode(examples.texts, examples.pairs).arrays

    @abstractmethod
    def logits(self, session: Session, examples: Examples) -> Array:
        """Those that are compared, of a session in place of the exact one."""

    @abstractmethod
    def judged(self, logits: Array) -> tuple[Mapping[str, Any], float]:
        """How logits on dev become answers, as the file says it, and the quality of these."""

    def within(self, exact: float, tolerance: float) -> tuple[bytes, Mapping[str, Any], str]:
        """A graph that loses at most `tolerance` of the quality on dev, how its logits become answers, and a note.

        Tried are no finer parts, then the 1, 2, 4, ... most harmful ones, up to half of all; the first that will do is
        taken, which may have nearly twice as many as are needed.
        """
        model, decision, first = self._judged(())
        note = f"dev {first:.4f} with all parts in int8, {exact:.4f} in fp32"
        if first >= exact - tolerance:
            return model, decision, note
        worst, count = self._by_harm(), 1
        while count <= max(1, len(worst) // 2):
            kept = worst[:count]
            better, fitted, score = self._judged(kept)
            if score >= exact - tolerance:
                return better, fitted, f"{note}, {score:.4f} with {', '.join(kept)} finer"
            count *= 2
        return model, decision, f"{note}; no better with up to {count // 2} of them finer"

    def _judged(self, keep: tuple[str, ...]) -> tuple[bytes, Mapping[str, Any], float]:
        model = self.quantiser.convert(keep)
        return model, *self.judged(self._logits(model, self.problem.corpus.dev))

    def _by_harm(self) -> tuple[str, ...]:
        """The parts, those first that move the logits most when they alone are in int8."""
        probe, parts = _some(self.problem.corpus.dev, PROBED), self.quantiser.parts
        exact = self.logits(self.exact, probe)
        harm = {}
        for name in parts:
            alone = self._logits(self.quantiser.convert(set(parts) - {name}), probe)
            harm[name] = float(np.square(alone - exact).mean())
        return tuple(sorted(parts, key=lambda name: -harm[name]))

    def _logits(self, model: bytes, examples: Examples) -> Array:
        return self.logits(OnnxSession(model, self.problem.threads, precision="int8"), examples)


class LabelTrial(Trial):
    """Of a model that gives labels."""

    def logits(self, session: Session, examples: Examples) -> Array:
        return TextClassifier(self.encoder, session, self.task).logits(examples.texts, examples.pairs)

    def judged(self, logits: Array) -> tuple[Mapping[str, Any], float]:
        targets = self.problem.corpus.dev.targets
        decision = fit_decision(logits, targets, multi_label=self.task.multi_label)
        return decision.settings(), quality(self.problem.metric, self.task, targets, logits, decision)


class Int8Rung:
    """Weights and activations in 8 bits, but for the parts that cost more than the tolerance on dev.

    Decisions are fitted again, since logits move.
    """

    name = "int8"
    trial: type[Trial] = LabelTrial

    def cost_s(self, problem: Problem) -> float:
        """Nothing is trained: converting takes a few seconds a model, whatever the budget."""
        return 0.0

    def fit(self, problem: Problem) -> list[Candidate]:
        sources = [(candidate, score) for candidate, score in problem.below if _is_neural(candidate)]
        made = []
        for done, (source, score) in enumerate(sources):
            made.append(self._convert(problem, source, score))
            problem.progress((done + 1) / len(sources))
        return made

    def _convert(self, problem: Problem, source: Candidate, score: float) -> Candidate:
        began = time.perf_counter()
        artifact = read_artifact(Path(source.artifact))
        trial = self.trial(problem, artifact)
        model, decision, note = trial.within(score, problem.settings.tolerance)
        path = problem.folder / f"{source.name}{SUFFIX}.gradatim"
        write_artifact(
            path,
            kind="onnx",
            task=artifact.task,
            encoder=artifact.encoder,
            members={"model.onnx": model, "tokenizer.json": artifact.member("tokenizer.json")},
            decision=decision,
        )
        made_s = time.perf_counter() - began
        return Candidate(path.stem, self.name, str(path), made_s, source.params, source.name, (note,))


def _some(examples: Examples, most: int) -> Examples:
    """At most so many, evenly from all."""
    return examples.take(np.unique(np.linspace(0, len(examples) - 1, most).astype(np.int64)))


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
