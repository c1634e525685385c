"""[distillation] of a recipe file: whatever is trained learns from a teacher too."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from gradatim.checkpoint.config import ModelConfig
from gradatim.checkpoint.folder import read_model
from gradatim.data import resolve_model
from gradatim.errors import ConfigError
from gradatim.models.backbone import BackboneConfig
from gradatim.objectives.base import Carrying, Scored
from gradatim.objectives.distillation import Distillation
from gradatim.objectives.match import Match
from gradatim.train.build import Prepared


@dataclass(frozen=True, slots=True, kw_only=True)
class DistillationSettings(Match):
    """[distillation]: what of a teacher is imitated, and how much of it.

    teacher      a folder with a model for the same task that reads the same tokens
    """

    teacher: str

    def teach(self, prepared: Prepared) -> Prepared:
        """The same model and data, its objective wrapped; raises ConfigError for a teacher that cannot teach it."""
        read = read_model(resolve_model(self.teacher))
        self._refuse_strangers(read.config, prepared.config)
        assert isinstance(prepared.objective, Scored)
        if isinstance(prepared.objective, Carrying):
            raise ConfigError("[distillation] cannot follow streams: set streams = false in [objective]")
        objective = Distillation(prepared.objective, self, teacher=read.model)
        return replace(prepared, objective=objective, notes=(*prepared.notes, f"taught by {self.teacher}"))

    def _refuse_strangers(self, teacher: ModelConfig, student: ModelConfig) -> None:
        facts = {
            "kind": (teacher.kind, student.kind),
            "labels": (teacher.labels, student.labels),
            "outputs": (teacher.num_outputs, student.num_outputs),
            "words": (teacher.body.vocab_size, student.body.vocab_size),
        }
        if self.cosine or self.hidden:
            facts["width"] = (teacher.body.width, student.body.width)
        odd = [f"{name} {theirs} is not {ours}" for name, (theirs, ours) in facts.items() if theirs != ours]
        if self.layers:
            odd += self._unmatched(teacher.decoder or teacher.body, student.decoder or student.body)
        if odd:
            raise ConfigError(f"[distillation] {self.teacher} cannot teach this model: {'; '.join(odd)}")

    def _unmatched(self, teacher: Any, student: Any) -> list[str]:
        """What of `layers` does not fit two bodies."""
        if not (isinstance(teacher, BackboneConfig) and isinstance(student, BackboneConfig)):
            return ["only blocks of Transformers can be matched"]
        odd = [
            f"there is no block {i} in {teacher.num_layers}"
            for i in self.layers
            if not 0 <= i < teacher.num_layers
        ]
        if len(self.layers) != student.num_layers:
            odd.append(f"{len(self.layers)} layers are not one for each of {student.num_layers} blocks")
        heads = teacher.block.num_heads, student.block.num_heads
        if self.attention and heads[0] != heads[1]:
            odd.append("heads {} is not {}".format(*heads))
        return odd
