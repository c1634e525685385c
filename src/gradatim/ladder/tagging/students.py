"""The sixth rung of tagging: some blocks of the fine-tuned encoder, which imitate all of it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import cast

from gradatim.errors import ConfigError
from gradatim.ladder.rung import Problem
from gradatim.ladder.rungs.students import EncoderStudent, times_seen
from gradatim.ladder.tagging.finetuned import TagFinetunedRung
from gradatim.ladder.tagging.lab import TaggingLab
from gradatim.models.backbone import Backbone
from gradatim.objectives.distillation import Distillation, Match
from gradatim.train.loop import train
from gradatim.train.recipe import Recipe
from gradatim.types import Candidate

MATCH = Match(temperature=2.0, soft=1.0, hard=0.2)


@dataclass(frozen=True, slots=True)
class TagStudent(EncoderStudent):
    """Blocks of the fine-tuned encoder, evenly spaced, taught by all of them: it reads every batch along."""

    def cost_s(self, problem: Problem) -> float:
        lab = TaggingLab.of(problem)
        return times_seen(len(problem.corpus.train)) * self._epoch_s(lab)

    def _epoch_s(self, lab: TaggingLab) -> float:
        taught = lab.seconds(lab.parameters, 1, forward_only=True)
        return taught + lab.seconds(self._share(lab) * lab.parameters, 1)

    def fit(self, problem: Problem) -> list[Candidate]:
        began = time.perf_counter()
        lab, source = TaggingLab.of(problem), TagFinetunedRung.name
        teacher = lab.kept(source)
        if teacher is None:
            raise ConfigError(
                "a student needs the fine-tuned encoder to learn from, and none was trained below"
            )
        model = lab.tagger(self._blocks(cast(Backbone, teacher.body)))
        model.head.load_state_dict(teacher.head.state_dict())
        wanted, per_epoch = times_seen(len(problem.corpus.train)), self._epoch_s(lab)
        epochs = lab.affordable(wanted, per_epoch, spent_s=time.perf_counter() - began)
        recipe = Recipe(
            epochs=epochs, rate=1e-4, average=0.2, seed=problem.seed, precision=problem.settings.precision
        )
        train(model, Distillation(lab.learned, MATCH, teacher=teacher), recipe, progress=problem.progress)
        notes = (f"imitates {source}, {epochs:.3g} epochs",)
        made_s = time.perf_counter() - began
        return [lab.export(model, self.name, self.name, made_s, source=source, notes=notes)]
