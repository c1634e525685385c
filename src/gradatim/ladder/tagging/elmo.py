"""Beside the frozen encoder, where a language model is given that is an ELMo: its layers, mixed, read by a BiLSTM."""

from __future__ import annotations

from typing import Any

from torch import nn

from gradatim.checkpoint.folder import load_elmo
from gradatim.ladder.rung import Problem
from gradatim.ladder.rungs.elmo import ElmoRung, mixed
from gradatim.ladder.tagging.lab import TaggingLab
from gradatim.models.classifier import Tagger
from gradatim.models.elmo import ElmoBackbone
from gradatim.objectives.base import Objective


class TagElmoLab(TaggingLab):
    """With words from their letters."""

    def body(self) -> ElmoBackbone:
        return load_elmo(self.folder)


class TagElmoRung(ElmoRung):
    """As of labels; every word has its tag (Peters et al. 2018, section 4)."""

    most = 10.0

    def lab(self, problem: Problem) -> Any:
        return TagElmoLab.of(problem, problem.settings.language_model)

    def model(self, lab: Any) -> nn.Module:
        reader = mixed(lab.body())
        return Tagger(reader, reader.output_width, len(lab.corpus.task.labels), dropout=0.3)

    def objective(self, lab: Any) -> Objective[Any]:
        learned: Objective[Any] = lab.learned
        return learned
