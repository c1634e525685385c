"""The seventh rung: the whole encoder fine-tuned on the labels (Devlin et al. 2019, section 4)."""

from __future__ import annotations

import time
from typing import Any

from torch import nn

from gradatim.ladder.lab import Lab
from gradatim.ladder.rung import Problem
from gradatim.ladder.teacher import save_teacher
from gradatim.models.classifier import Classifier
from gradatim.nn.pooling import Pooling
from gradatim.objectives.base import Objective
from gradatim.objectives.classification import Classification
from gradatim.train.loop import train
from gradatim.train.recipe import Recipe
from gradatim.types import Candidate
from gradatim.wording import count

FEWEST, MOST = 2.0, 10.0  # epochs
LARGE = 20_000  # texts from which batches are twice as large
RATE, WIDTH = 1e-4, 384  # a wider encoder takes a rate as much lower


class FinetunedRung:
    """The head starts from the frozen probe, so early steps do not spoil the encoder (Kumar et al. 2022)."""

    name = "finetuned"
    can_shorten = True
    steps = 1200  # optimiser steps, about, within sensible numbers of epochs
    most = MOST
    batch_size = 32
    pooling: tuple[Pooling, ...] = ("mean",)
    probed = True

    def lab(self, problem: Problem) -> Any:
        """The encoder to fine-tune, and all that goes with it."""
        return Lab.of(problem)

    def model(self, lab: Any) -> nn.Module:
        """What is fine-tuned."""
        model: nn.Module = lab.classifier(lab.body(), *self.pooling, probed=self.probed)
        return model

    def objective(self, lab: Any) -> Objective[Any]:
        """What it learns."""
        return Classification(lab.texts, lab.corpus.train.targets)

    def epochs(self, num_texts: int) -> float:
        return min(self.most, max(FEWEST, self.steps * self.batch(num_texts) / max(1, num_texts)))

    def batch(self, num_texts: int) -> int:
        return 2 * self.batch_size if num_texts >= LARGE else self.batch_size

    def cost_s(self, problem: Problem) -> float:
        lab = self.lab(problem)
        epochs = problem.settings.planned(self.epochs(len(problem.corpus.train)))
        cost_s: float = lab.seconds(lab.parameters, epochs)
        return cost_s

    def fit(self, problem: Problem) -> list[Candidate]:
        began = time.perf_counter()
        lab, num_texts = self.lab(problem), len(problem.corpus.train)
        model = self.model(lab)
        wanted = self.epochs(num_texts)
        epochs = lab.affordable(wanted, self.cost_s(problem) / wanted)
        recipe = self.recipe(problem, lab, epochs)
        done = train(model, self.objective(lab), recipe, progress=problem.progress)
        self.finish(model, lab)
        self.keep(model, lab, problem)
        notes = (f"{count(epochs, 'epoch', '.3g')} at {done.tokens_per_s:,.0f} tokens/s",)
        return [lab.export(model, self.name, self.name, time.perf_counter() - began, notes=notes)]

    def recipe(self, problem: Problem, lab: Any, epochs: float) -> Recipe:
        """How it is trained."""
        return Recipe(
            epochs=epochs,
            batch_size=self.batch(len(problem.corpus.train)),
            rate=RATE * WIDTH / lab.config.width,
            average=0.2,
            seed=problem.seed,
            precision=problem.settings.precision,
        )

    def finish(self, model: nn.Module, lab: Any) -> None:
        """What is left to do with a trained model: here nothing."""

    def keep(self, model: nn.Module, lab: Any, problem: Problem) -> None:
        """Leave the weights where students find them."""
        assert isinstance(model, Classifier)
        save_teacher(model, lab.tokenizer, problem.shared / self.name)
