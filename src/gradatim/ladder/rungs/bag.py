"""The fourth rung: the mean of static token vectors and a linear layer (fastText's classifier)."""

from __future__ import annotations

import time

from gradatim.ladder.lab import Lab
from gradatim.ladder.rung import Problem
from gradatim.ladder.vectors import start_from
from gradatim.models.classifier import Classifier, WordVectors
from gradatim.objectives.classification import Classification
from gradatim.train.loop import train
from gradatim.train.recipe import Recipe
from gradatim.types import Candidate

WIDTH = 100
EPOCHS = 8


class BagRung:
    """Vectors trained with the task (Joulin et al. 2017), started at random or from static ones."""

    name = "bag"

    def cost_s(self, problem: Problem) -> float:
        """Look-ups only: about two million tokens a second, and a little per step."""
        return 1.0 + problem.settings.planned(EPOCHS) * (
            float(Lab.of(problem).texts.sizes.sum()) / 2e6 + len(problem.corpus.train) / 4e4
        )

    def fit(self, problem: Problem) -> list[Candidate]:
        began = time.perf_counter()
        lab = Lab.of(problem)
        notes, width, vectors = start_from(problem.settings.vectors, lab.tokenizer, WIDTH)
        body = WordVectors(lab.config.vocab_size, width)
        model = Classifier(body, width, len(problem.corpus.task.labels), dropout=0.2)
        if vectors is not None:
            body.words.weight.data.copy_(vectors)
        epochs = problem.settings.planned(EPOCHS)
        recipe = Recipe(epochs=epochs, rate=5e-3, weight_decay=0.0, seed=problem.seed, precision="fp32")
        objective = Classification(lab.texts, problem.corpus.train.targets)
        train(model, objective, recipe, progress=problem.progress)
        return [lab.export(model, "bag", self.name, time.perf_counter() - began, notes=notes)]
