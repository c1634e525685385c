"""[distillation] of a recipe file: whatever is trained learns from a teacher too."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from gradatim.checkpoint.config import ModelConfig
from gradatim.checkpoint.folder import read_model
from gradatim.data import resolve_model
from gradatim.errors import ConfigError
from gradatim.objectives.base import Scored
from gradatim.objectives.distillation import Distillation, Match
from gradatim.train.build import Prepared


@dataclass(frozen=True, slots=True, kw_only=True)
class DistillationSettings:
    """[distillation]: `teacher` is a folder with a model for the same task that reads the same tokens.

    The other settings say how much of what is imitated, as `objectives.distillation.Match` has them. Where
    inner states are, `layers` names the teacher's block for each of the student's: evenly spaced unless given.
    """

    teacher: str
    temperature: float = 2.0
    soft: float = 1.0
    hard: float = 0.0
    cosine: float = 0.0
    hidden: float = 0.0
    attention: float = 0.0
    layers: list[int] = field(default_factory=list)

    def teach(self, prepared: Prepared) -> Prepared:
        """The same model and data, its objective wrapped; raises ConfigError for a teacher that cannot teach it."""
        read, student = read_model(resolve_model(self.teacher)), prepared.config
        self._refuse_strangers(read.config, student)
        layers = tuple(self.layers)
        if not layers and (self.hidden or self.attention):
            every = np.linspace(0, read.config.body.num_layers, student.body.num_layers + 1)[1:]
            layers = tuple((every.round().astype(int) - 1).tolist())
        match = Match(
            temperature=self.temperature, soft=self.soft, hard=self.hard, cosine=self.cosine, hidden=self.hidden,
            attention=self.attention, layers=layers,
        )  # fmt: skip
        assert isinstance(prepared.objective, Scored)
        objective = Distillation(prepared.objective, match, teacher=read.model)
        return replace(prepared, objective=objective, notes=(*prepared.notes, f"taught by {self.teacher}"))

    def _refuse_strangers(self, teacher: ModelConfig, student: ModelConfig) -> None:
        facts = {
            "kind": (teacher.kind, student.kind),
            "labels": (teacher.labels, student.labels),
            "outputs": (teacher.num_outputs, student.num_outputs),
            "words": (teacher.body.embedding.vocab_size, student.body.embedding.vocab_size),
        }
        if self.cosine or self.hidden:
            facts["width"] = (teacher.body.width, student.body.width)
        odd = [f"{name} {theirs} is not {ours}" for name, (theirs, ours) in facts.items() if theirs != ours]
        if odd:
            raise ConfigError(f"[distillation] {self.teacher} cannot teach this model: {'; '.join(odd)}")
