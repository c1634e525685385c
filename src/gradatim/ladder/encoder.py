"""What the neural rungs on one pretrained encoder share, whatever they climb for: its weights, costs, time, files."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import torch
from torch import nn

from gradatim.checkpoint.folder import load_backbone, load_body, tokenizer_json
from gradatim.data import resolve_model
from gradatim.engine.artifact import write_artifact
from gradatim.engine.manifest import JSON
from gradatim.errors import GradatimError
from gradatim.export.reader import to_onnx
from gradatim.ladder.rung import Problem
from gradatim.models.backbone import Backbone, BackboneConfig
from gradatim.models.classifier import num_parameters
from gradatim.models.elmo import ElmoBackbone
from gradatim.models.encoders import encoder_for
from gradatim.models.inputs import PackedTexts
from gradatim.models.recurrent import RecurrentBackbone
from gradatim.train.cost import dense_parameters, training_s
from gradatim.train.recipe import Recipe
from gradatim.types import Candidate


class EncoderLab(ABC):
    """Built once per climb and encoder (`of`); everything heavy in it is made when first asked for."""

    def __init__(self, problem: Problem, encoder: str, shared: Path) -> None:
        torch.set_num_threads(problem.threads)
        self.problem = problem
        self.corpus = problem.corpus
        self.shared = shared
        self.folder: Path = resolve_model(encoder)
        self.tokenizer = tokenizer_json(self.folder)
        body = self.body()
        self.config, self.parameters = body.config, dense_parameters(body)
        length = problem.settings.max_length
        if isinstance(self.config, BackboneConfig):
            length = min(length, self.config.max_length)
        self.pieces = encoder_for(self.config, self.tokenizer, max_length=length)
        self.bf16 = Recipe(precision=problem.settings.precision).bf16()

    @classmethod
    def of(cls, problem: Problem, encoder: str | None = None) -> Self:
        """The lab of this climb on its encoder or the one named; raises again what went wrong the first time."""
        name = encoder or problem.settings.encoder
        key = f"{cls.__name__} {name}"
        if key not in problem.cache:
            shared = problem.shared if name == problem.settings.encoder else problem.shared / "teaching"
            try:
                problem.cache[key] = cls(problem, name, shared)
            except GradatimError as error:  # an encoder that cannot be fetched is not fetched eight times
                problem.cache[key] = error
        lab: Self | GradatimError = problem.cache[key]
        if isinstance(lab, GradatimError):
            raise lab
        lab.problem = problem
        return lab

    def body(self) -> Backbone | RecurrentBackbone | ElmoBackbone:
        """A fresh copy of what was pretrained: an encoder of the BERT family, or a language model."""
        return load_body(self.folder)

    def bert(self) -> Backbone:
        """The same, where only a Transformer will do; raises CheckpointError for another."""
        return load_backbone(self.folder)

    @property
    @abstractmethod
    def texts(self) -> PackedTexts:
        """The training texts as tokens."""

    @property
    def settings(self) -> dict[str, JSON]:
        """What a file says of its encoder."""
        return {**self.pieces.settings()}

    @abstractmethod
    def decision(self, model: Any) -> Mapping[str, Any]:
        """What a file says of how the model's logits become answers."""

    def export(
        self, model: nn.Module, name: str, rung: str, made_s: float, *, source: str | None = None,
        notes: Sequence[str] = (),
    ) -> Candidate:  # fmt: skip
        """Write `name.gradatim` into the rung's folder."""
        path, task = self.problem.folder / f"{name}.gradatim", self.corpus.task
        write_artifact(
            path,
            kind="onnx",
            task=task,
            encoder=self.settings,
            members={
                "model.onnx": to_onnx(model, segments=task.pairs),
                "tokenizer.json": self.tokenizer.encode(),
            },
            decision=self.decision(model),
        )
        return Candidate(name, rung, str(path), made_s, num_parameters(model), source, tuple(notes))

    def seconds(
        self, parameters: float, epochs: float, *, tokens: float | None = None, forward_only: bool = False
    ) -> float:
        """Estimated seconds to train so many dense parameters for so many epochs over the training texts."""
        total = epochs * (float(self.texts.sizes.sum()) if tokens is None else tokens)
        threads = self.problem.threads
        return training_s(total, parameters, bf16=self.bf16, threads=threads, forward_only=forward_only)

    def affordable(self, wanted: float, seconds_per_epoch: float, *, spent_s: float = 0.0) -> float:
        """The epochs that fit into the rung's training time, of which `spent_s` is gone; half of one at least."""
        if self.problem.settings.epochs is not None:
            return float(self.problem.settings.epochs)
        if self.problem.limit_s is None:
            return wanted
        left = 0.9 * (self.problem.limit_s - spent_s)
        return max(0.5, min(wanted, left / max(seconds_per_epoch, 1e-3)))
