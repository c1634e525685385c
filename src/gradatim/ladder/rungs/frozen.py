"""The sixth rung: a pretrained encoder as it is, and logistic regression on its vectors."""

from __future__ import annotations

import time

from gradatim.ladder.lab import POOLINGS, Lab
from gradatim.ladder.rung import Problem
from gradatim.nn.pooling import Pooling
from gradatim.types import Candidate


class FrozenRung:
    """Encodes every text once, as the mean of its token states and as the state of [CLS]; dev decides."""

    name = "frozen"

    def cost_s(self, problem: Problem) -> float:
        """One pass forward, and the regressions."""
        lab = Lab.of(problem)
        tokens = float(lab.texts.sizes.sum() + lab.dev.arrays["lengths"].sum())
        forward = lab.seconds(lab.parameters, 1, tokens=tokens, forward_only=True)
        return 2.0 + forward + 2e-5 * len(problem.corpus.train) * len(problem.corpus.task.labels)

    def fit(self, problem: Problem) -> list[Candidate]:
        began = time.perf_counter()
        lab = Lab.of(problem)
        scores: dict[Pooling, float] = {}
        for done, pooling in enumerate(POOLINGS):
            scores[pooling] = lab.probe(pooling)[2]
            problem.say(f"{pooling} pooling: {problem.metric} {scores[pooling]:.4f} on dev")
            problem.progress((done + 1) / len(POOLINGS))
        best = max(POOLINGS, key=lambda pooling: scores[pooling])
        model = lab.classifier(lab.bert(), best)
        notes = tuple(f"{pooling} pooling {score:.4f}" for pooling, score in scores.items())
        return [lab.export(model, "frozen", self.name, time.perf_counter() - began, notes=notes)]
