"""Between the sixth rung and the seventh, where labels are few: contrastive tuning (Tunstall et al. 2022, SetFit)."""

from __future__ import annotations

from torch import nn

from gradatim.ladder.lab import Lab, set_head
from gradatim.ladder.rung import Problem
from gradatim.ladder.rungs.finetuned import FinetunedRung
from gradatim.models.classifier import Classifier
from gradatim.objectives.base import Objective
from gradatim.objectives.contrast import Contrast


class FewRung(FinetunedRung):
    """The encoder learns which texts share a label; logistic regression reads the vectors that it then gives."""

    name = "few"
    steps = 100
    most = 20.0
    probed = False

    def cost_s(self, problem: Problem) -> float:
        """Every text is read beside another, and at the end all once more."""
        lab: Lab = self.lab(problem)
        return 2 * super().cost_s(problem) + 2.0 + lab.seconds(lab.parameters, 1, forward_only=True)

    def objective(self, lab: Lab) -> Objective[Classifier]:
        return Contrast(lab.texts, lab.corpus.train.targets)

    def finish(self, model: nn.Module, lab: Lab) -> None:
        """The head is the regression."""
        assert isinstance(model, Classifier)
        weights, bias, _ = lab.regression(lab.vectors(model, lab.train), lab.vectors(model, lab.dev))
        set_head(model, weights, bias)
