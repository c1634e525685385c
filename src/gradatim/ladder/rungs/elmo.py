"""Beside ulmfit, where the language model is an ELMo: its layers as they are, mixed (Peters et al. 2018, eq. 1)."""

from __future__ import annotations

from typing import Any

from torch import nn

from gradatim.checkpoint.folder import load_elmo
from gradatim.ladder.lab import Lab
from gradatim.ladder.rung import Problem
from gradatim.ladder.rungs.bilstm import SLOWER
from gradatim.ladder.rungs.finetuned import FinetunedRung
from gradatim.models.classifier import Classifier
from gradatim.models.elmo import ElmoBackbone
from gradatim.models.layers import FrozenReader
from gradatim.train.cost import dense_parameters
from gradatim.train.recipe import Recipe

WIDTH = 128  # of the LSTM in each direction that reads them


class ElmoLab(Lab):
    """With words from their letters."""

    def body(self) -> ElmoBackbone:
        return load_elmo(self.folder)


class ElmoRung(FinetunedRung):
    """The model that `Settings.language_model` names, a folder of `gradatim train`, whose layers a BiLSTM reads."""

    name = "elmo"
    most = 6.0
    pooling = ("max", "mean")

    def lab(self, problem: Problem) -> Any:
        return ElmoLab.of(problem, problem.settings.language_model)

    def model(self, lab: Any) -> nn.Module:
        reader = mixed(lab.body())
        return Classifier(
            reader, reader.output_width, len(lab.corpus.task.labels), pooling=self.pooling, dropout=0.3
        )

    def cost_s(self, problem: Problem) -> float:
        """The frozen layers read the texts anew every time."""
        lab = self.lab(problem)
        reads = lab.seconds(lab.parameters, 1, forward_only=True)
        learns = lab.seconds(dense_parameters(self.model(lab)) - lab.parameters, 1)
        epochs = problem.settings.planned(self.epochs(len(problem.corpus.train)))
        return SLOWER * epochs * float(reads + learns)

    def recipe(self, problem: Problem, lab: Any, epochs: float) -> Recipe:
        return Recipe(
            epochs=epochs,
            batch_size=self.batch(len(problem.corpus.train)),
            rate=1e-3,
            average=0.2,
            seed=problem.seed,
            precision=problem.settings.precision,
        )

    def keep(self, model: nn.Module, lab: Any, problem: Problem) -> None:
        """Nothing: students start elsewhere."""


def mixed(body: ElmoBackbone) -> FrozenReader:
    """The layers in the proportions that are learned, and a BiLSTM that reads them."""
    config = body.config
    return FrozenReader(body, "scalar mix", config.depth, config.output_width, recurrent_width=WIDTH)
