"""The fifth rung of tagging: the whole encoder fine-tuned on the tags (Devlin et al. 2019, section 5.3)."""

from __future__ import annotations

from typing import Any

from torch import nn

from gradatim.ladder.rung import Problem
from gradatim.ladder.rungs.finetuned import FinetunedRung
from gradatim.ladder.tagging.lab import TaggingLab
from gradatim.models.classifier import Tagger
from gradatim.objectives.base import Objective


class TagFinetunedRung(FinetunedRung):
    """A linear layer on every word's first piece."""

    steps = 1800

    def lab(self, problem: Problem) -> TaggingLab:
        return TaggingLab.of(problem)

    def model(self, lab: Any) -> nn.Module:
        tagger: Tagger = lab.tagger(lab.bert())
        return tagger

    def objective(self, lab: Any) -> Objective[Any]:
        learned: Objective[Any] = lab.learned
        return learned

    def keep(self, model: nn.Module, lab: Any, problem: Problem) -> None:
        lab.keep(model, self.name)
