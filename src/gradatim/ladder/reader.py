"""What the goals share that read with one pretrained encoder (tags, spans, choices): fine-tuned models, students."""

from __future__ import annotations

import time
from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Any, cast

from torch import nn

from gradatim.checkpoint.config import TOKENS, Kind, ModelConfig
from gradatim.checkpoint.folder import read_model, save_model
from gradatim.errors import ConfigError
from gradatim.ladder.encoder import EncoderLab
from gradatim.ladder.rung import Problem
from gradatim.ladder.rungs.finetuned import FinetunedRung
from gradatim.ladder.rungs.students import EncoderStudent, times_seen
from gradatim.models.backbone import Backbone
from gradatim.models.classifier import Classifier, Tagger
from gradatim.models.inputs import PackedTexts
from gradatim.nn.pooling import Pooling
from gradatim.objectives.base import Objective
from gradatim.objectives.choice import Choice
from gradatim.objectives.distillation import Distillation
from gradatim.objectives.match import Match
from gradatim.objectives.span import Span
from gradatim.objectives.tagging import Tagging
from gradatim.train.loop import train
from gradatim.train.recipe import Recipe
from gradatim.types import Candidate
from gradatim.wording import count

MATCH = Match(temperature=2.0, soft=1.0, hard=0.2)
POOLING: tuple[Pooling, ...] = ("mean",)  # of rows, where a text has one score

Model = Tagger | Classifier


class ReaderLab(EncoderLab):
    """With what a model learns, models, folders and files of them."""

    @property
    @abstractmethod
    def learned(self) -> Tagging | Span | Choice:
        """The training examples."""

    @property
    @abstractmethod
    def num_outputs(self) -> int:
        """Of the head."""

    @property
    def texts(self) -> PackedTexts:
        return self.learned.texts

    def described(self, body: Backbone) -> ModelConfig:
        """What a model on this body is."""
        task = self.corpus.task
        return ModelConfig(
            kind=cast(Kind, task.kind), body=body.config, num_outputs=self.num_outputs, labels=task.labels,
            pooling=POOLING,
        )  # fmt: skip

    def model(self, body: Backbone) -> Model:
        """A fresh head on a body."""
        kind = Tagger if self.corpus.task.kind in TOKENS else Classifier
        return kind(body, body.config.output_width, self.num_outputs)

    def keep(self, model: Model, name: str) -> None:
        """Leave a model on a Transformer where its students find it, in a resumed climb too."""
        save_model(model, self.problem.shared / name, config=self.described(cast(Backbone, model.body)))

    def kept(self, name: str) -> Model | None:
        """The model of that name, or None."""
        folder = self.problem.shared / name
        return cast(Model, read_model(folder).model) if (folder / "config.json").is_file() else None


class FinetunedReader(FinetunedRung):
    """The whole encoder fine-tuned under a linear layer (Devlin et al. 2019, section 4)."""

    def __init__(self, kind: type[ReaderLab], *, steps: int) -> None:
        self.kind, self.steps = kind, steps

    def lab(self, problem: Problem) -> ReaderLab:
        return self.kind.of(problem)

    def model(self, lab: Any) -> nn.Module:
        model: Model = lab.model(lab.bert())
        return model

    def objective(self, lab: Any) -> Objective[Any]:
        learned: Objective[Any] = lab.learned
        return learned

    def keep(self, model: nn.Module, lab: Any, problem: Problem) -> None:
        lab.keep(model, self.name)


@dataclass(frozen=True, slots=True)
class ReaderStudent(EncoderStudent):
    """Blocks of the fine-tuned encoder, evenly spaced, taught by all of them: it reads every batch along."""

    kind: type[ReaderLab] = field(kw_only=True)

    def cost_s(self, problem: Problem) -> float:
        lab = self.kind.of(problem)
        return problem.settings.planned(times_seen(len(lab.texts))) * self._epoch_s(lab)

    def _epoch_s(self, lab: ReaderLab) -> float:
        taught = lab.seconds(lab.parameters, 1, forward_only=True)
        return taught + lab.seconds(self._share(lab) * lab.parameters, 1)

    def fit(self, problem: Problem) -> list[Candidate]:
        began = time.perf_counter()
        lab, source = self.kind.of(problem), FinetunedReader.name
        teacher = lab.kept(source)
        if teacher is None:
            raise ConfigError(
                "a student needs the fine-tuned encoder to learn from, and none was trained below"
            )
        model = lab.model(self._blocks(cast(Backbone, teacher.body)))
        model.head.load_state_dict(teacher.head.state_dict())
        wanted, per_epoch = times_seen(len(lab.texts)), self._epoch_s(lab)  # of choices each is a text
        epochs = lab.affordable(wanted, per_epoch, spent_s=time.perf_counter() - began)
        recipe = Recipe(
            epochs=epochs, rate=1e-4, average=0.2, seed=problem.seed, precision=problem.settings.precision
        )
        objective: Objective[Any] = Distillation[Any](lab.learned, MATCH, teacher=teacher)
        train(model, objective, recipe, progress=problem.progress)
        notes = (f"imitates {source}, {count(epochs, 'epoch', '.3g')}",)
        made_s = time.perf_counter() - began
        return [lab.export(model, self.name, self.name, made_s, source=source, notes=notes)]
