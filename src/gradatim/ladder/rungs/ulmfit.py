"""Beside the fine-tuned encoder, where one is given: a recurrent language model fine-tuned (Howard & Ruder 2018)."""

from __future__ import annotations

from typing import Any

from torch import nn

from gradatim.ladder.lab import Lab
from gradatim.ladder.rung import Problem
from gradatim.ladder.rungs.bilstm import SLOWER
from gradatim.ladder.rungs.finetuned import FinetunedRung
from gradatim.train.recipe import Recipe


class UlmfitRung(FinetunedRung):
    """The model that `Settings.language_model` names, a folder of `gradatim train`: last, largest and mean state;
    layers thaw one after the other, each at a lower rate than the one above, every time on a slanted triangle (3.3).
    """

    name = "ulmfit"
    pooling = ("last", "max", "mean")
    probed = False

    def lab(self, problem: Problem) -> Lab:
        return Lab.of(problem, problem.settings.language_model)

    def epochs(self, num_texts: int) -> float:
        """As many as let every layer thaw, at least."""
        return max(6.0, super().epochs(num_texts))

    def cost_s(self, problem: Problem) -> float:
        return SLOWER * super().cost_s(problem)

    def recipe(self, problem: Problem, lab: Any, epochs: float) -> Recipe:
        return Recipe(
            epochs=epochs,
            batch_size=self.batch(len(problem.corpus.train)),
            rate=2e-3,
            layer_decay=0.8,  # 1 / 2.6 in the paper, which is too little for small models
            unfreeze=True,
            schedule="slanted_triangular",
            seed=problem.seed,
            precision=problem.settings.precision,
        )

    def keep(self, model: nn.Module, lab: Any, problem: Problem) -> None:
        """Nothing: students learn from the exported file, and start elsewhere."""
