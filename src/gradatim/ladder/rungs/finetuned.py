"""The seventh rung: the whole encoder fine-tuned on the labels (Devlin et al. 2019, section 4)."""

from __future__ import annotations

import time

from gradatim.ladder.lab import Lab
from gradatim.ladder.rung import Problem
from gradatim.ladder.teacher import save_teacher
from gradatim.nn.pooling import Pooling
from gradatim.objectives.classification import Classification
from gradatim.train.loop import train
from gradatim.train.recipe import Recipe
from gradatim.types import Candidate

POOLING: Pooling = "mean"
STEPS = 1200  # enough steps for small data, at least `FEWEST` epochs for large
FEWEST, MOST = 2.0, 10.0
LARGE = 20_000  # texts from which batches are twice as large


def batch_for(num_texts: int) -> int:
    return 64 if num_texts >= LARGE else 32


def epochs_for(num_texts: int) -> float:
    """About `STEPS` optimiser steps, within sensible numbers of epochs."""
    return min(MOST, max(FEWEST, STEPS * batch_for(num_texts) / max(1, num_texts)))


class FinetunedRung:
    """The head starts from the frozen probe, so early steps do not spoil the encoder (Kumar et al. 2022)."""

    name = "finetuned"
    can_shorten = True

    def cost_s(self, problem: Problem) -> float:
        lab = Lab.of(problem)
        return lab.seconds(lab.bert(), epochs_for(len(problem.corpus.train)))

    def fit(self, problem: Problem) -> list[Candidate]:
        began = time.perf_counter()
        lab = Lab.of(problem)
        model = lab.classifier(lab.bert(), POOLING)
        epochs = lab.affordable(epochs_for(len(problem.corpus.train)), lab.seconds(model, 1))
        recipe = Recipe(
            epochs=epochs,
            batch_size=batch_for(len(problem.corpus.train)),
            rate=1e-4,
            average=0.2,
            seed=problem.seed,
            precision=problem.settings.precision,
        )
        objective = Classification(lab.texts, problem.corpus.train.targets)
        done = train(model, objective, recipe, progress=problem.progress)
        save_teacher(model, lab.tokenizer, problem.shared / "teacher")
        notes = (f"{epochs:.3g} epochs at {done.tokens_per_s:,.0f} tokens/s",)
        return [lab.export(model, "finetuned", self.name, time.perf_counter() - began, notes=notes)]
