"""Distillation: a student imitates a teacher's outputs and, where shapes allow, its inner states."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from gradatim.errors import ConfigError
from gradatim.models.classifier import Classifier
from gradatim.models.inputs import PackedTexts
from gradatim.nn.stack import Trace
from gradatim.objectives.base import Batch, Loss
from gradatim.objectives.classification import hard_loss
from gradatim.types import Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """How much of what is imitated. `soft` and `hard` weigh the teacher's and the true labels;
    `hidden` and `attention` weigh the inner states of `layers`, one teacher block per student block.
    """

    temperature: float = 2.0
    soft: float = 1.0
    hard: float = 0.0
    hidden: float = 0.0
    attention: float = 0.0
    layers: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.temperature <= 0:
            raise ConfigError(f"temperature must be above 0, not {self.temperature}")
        if (self.hidden or self.attention) and not self.layers:
            raise ConfigError("matching hidden states or attention needs `layers`")


class Distillation:
    """Soft targets with temperature (Hinton et al. 2015), hidden states and attention (Jiao et al. 2020).

    `teacher_logits` (texts, labels) are computed once; rows beyond `targets` have no true label
    (unlabelled text) and only imitate. A `teacher` model is needed for inner states only, and must
    share the student's token ids.
    """

    def __init__(
        self,
        texts: PackedTexts,
        teacher_logits: Array,
        targets: Array,
        match: Match,
        *,
        teacher: Classifier | None = None,
    ) -> None:
        if (match.hidden or match.attention) and teacher is None:
            raise ConfigError("matching inner states needs the teacher model")
        self.texts = texts
        self.teacher_logits = torch.as_tensor(teacher_logits)
        self.targets = torch.as_tensor(targets)
        self.match = match
        self.teacher = teacher

    @property
    def sizes(self) -> Array:
        return self.texts.sizes

    def collate(self, rows: Array) -> Batch:
        known = rows[rows < len(self.targets)]
        return Batch(self.texts.take(rows), self.targets[torch.from_numpy(known)], rows)

    def loss(self, model: Classifier, batch: Batch) -> Loss:
        match, inputs = self.match, batch.inputs
        inner = bool(match.hidden or match.attention)
        trace = Trace([], [] if match.attention else None) if inner else None
        logits = inputs.pool_windows(model(inputs, trace).float())
        rows = torch.from_numpy(batch.rows)
        multi_label = self.targets.is_floating_point()
        parts = {
            "soft": match.soft
            * soft_loss(logits, self.teacher_logits[rows], match.temperature, multi_label=multi_label)
        }
        labelled = rows < len(self.targets)
        if match.hard and bool(labelled.any()):
            parts["hard"] = match.hard * hard_loss(logits[labelled], batch.targets)
        if trace is not None:
            parts.update(self._inner(batch, trace))
        return Loss(torch.stack(list(parts.values())).sum(), {k: v.item() for k, v in parts.items()})

    def _inner(self, batch: Batch, student: Trace) -> dict[str, Tensor]:
        """Mean squared error of normalised hidden states; of attention weights, per head."""
        assert self.teacher is not None
        match = self.match
        teacher = Trace([], [] if match.attention else None)
        with torch.no_grad():
            self.teacher.features(batch.inputs, teacher)
        parts = {}
        if match.hidden:
            # hidden[0] is the embedding; blocks are compared after their final norm.
            own = slice(batch.inputs.num_tokens)
            pairs = [
                (student.hidden[i + 1][own], teacher.hidden[t + 1][own]) for i, t in enumerate(match.layers)
            ]
            errors = [F.mse_loss(s.float(), t.float()) / t.float().var() for s, t in pairs]
            parts["hidden"] = match.hidden * torch.stack(errors).mean()
        if match.attention and student.weights is not None and teacher.weights is not None:
            # Rows that only fill the batch are nobody's to imitate.
            kept = [group.members < len(batch.inputs.owners) for group in batch.inputs.layout.groups]
            groups = [
                (s[own], t[own])
                for i, layer in enumerate(match.layers)
                for s, t, own in zip(student.weights[i], teacher.weights[layer], kept, strict=True)
                if own.any()
            ]
            # Scaled by the number of keys: a row of weights sums to 1, whatever its length.
            errors = [F.mse_loss(s.float(), t.float()) * s.shape[-1] ** 2 for s, t in groups]
            parts["attention"] = match.attention * torch.stack(errors).mean()
        return parts


def soft_loss(student: Tensor, teacher: Tensor, temperature: float, *, multi_label: bool) -> Tensor:
    """T^2 KL(teacher || student) at temperature T, per text; per label and summed when multi-label."""
    if multi_label:
        target = (teacher / temperature).sigmoid()
        student = student / temperature
        cross = F.binary_cross_entropy_with_logits(student, target, reduction="sum")
        entropy = F.binary_cross_entropy(target, target, reduction="sum")
        return (cross - entropy) * temperature**2 / len(student)
    return (
        F.kl_div(
            (student / temperature).log_softmax(-1),
            (teacher / temperature).log_softmax(-1),
            reduction="batchmean",
            log_target=True,
        )
        * temperature**2
    )
