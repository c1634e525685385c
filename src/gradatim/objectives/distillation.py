"""Distillation: a student imitates a teacher's outputs and, where shapes allow, its inner states."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Generic

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gradatim.errors import ConfigError
from gradatim.nn.packed import Layout
from gradatim.nn.stack import Trace
from gradatim.objectives.base import Batch, Loss, M, Scored
from gradatim.objectives.match import Match
from gradatim.objectives.words import WordScored
from gradatim.types import Array


class Distillation(Generic[M]):
    """Any objective, learned from a teacher too (Hinton et al. 2015): the wrapped objective's logits are imitated.

    The teacher reads each batch along with the student, so it must share the student's token ids;
    `teacher_logits` (examples, classes), computed once by a teacher of any kind, take the place of
    its outputs where the objective scores each example once. A `projection` maps the student's
    states to a wider teacher's (W_h in Jiao et al. 2020, eq. 8); make it a part of the student while
    it trains, so that it is trained and saved with it.
    """

    def __init__(
        self,
        objective: Scored[M],
        match: Match,
        *,
        teacher: M | None = None,
        teacher_logits: Array | None = None,
        projection: nn.Module | None = None,
    ) -> None:
        if teacher is None and (match.inner or (match.soft and teacher_logits is None)):
            raise ConfigError("imitation needs the teacher model; of outputs alone, `teacher_logits` will do")
        if teacher_logits is not None and len(teacher_logits) != len(objective.sizes):
            raise ConfigError(
                f"{len(teacher_logits)} rows of teacher_logits do not fit {len(objective.sizes)} examples"
            )
        self.objective = objective
        self.match = match
        self.teacher = None if teacher is None else teacher.eval()
        self.teacher_logits = None if teacher_logits is None else torch.as_tensor(teacher_logits)
        self.projection = nn.Identity() if projection is None else projection

    @property
    def sizes(self) -> Array:
        return self.objective.sizes

    def collate(self, rows: Array, seed: int = 0) -> Batch:
        batch = self.objective.collate(rows, seed)
        outputs = {f"soft/{name}": len(target) for name, target in batch.targets.items()}
        tokens = (batch.decoder or batch.inputs).num_tokens
        inner = dict.fromkeys(("cosine", "hidden", "attention"), tokens)
        return replace(batch, counts={**batch.counts, **outputs, **inner})

    def loss(self, model: M, batch: Batch) -> Loss:
        match = self.match
        student, teacher = (Trace([], [] if match.attention else None) for _ in range(2))
        if (
            isinstance(self.objective, WordScored)
            and self.teacher is not None
            and self.teacher_logits is None
        ):
            guide = self.teacher.to(batch.inputs.ids.device)
            traces = (student, teacher) if match.inner else (None, None)
            means = self.objective.imitated(model, guide, batch, match, traces)
        else:
            means = self._outputs(model, batch, student, teacher)
        if match.inner:
            read = batch.decoder or batch.inputs
            means |= self._inner(student, teacher, read.layout, read.num_tokens)
        return Loss(means, {name: batch.counts[name] for name in means})

    def _outputs(self, model: M, batch: Batch, student: Trace, teacher: Trace) -> dict[str, Tensor]:
        """How far the student's logits are from the teacher's, and from the targets."""
        match = self.match
        logits = self.objective.logits(model, batch, student if match.inner else None)
        means: dict[str, Tensor] = {}
        taught = self._taught(batch, teacher)
        if match.soft:
            for name, wanted in taught.items():
                summed = self.objective.imitation(logits[name], wanted, match.temperature)
                means[f"soft/{name}"] = match.soft * summed / max(1, len(wanted))
        if match.hard:
            own = self.objective.judge(logits, batch).means
            means |= {name: match.hard * mean for name, mean in own.items()}
        return means

    @torch.no_grad()
    def _taught(self, batch: Batch, trace: Trace) -> Mapping[str, Tensor]:
        """The teacher's logits, and on the way its inner states."""
        taught: dict[str, Tensor] = {}
        if self.teacher is not None and (self.match.inner or self.teacher_logits is None):
            teacher = self.teacher.to(batch.inputs.ids.device)
            taught = self.objective.logits(teacher, batch, trace if self.match.inner else None)
        if self.teacher_logits is not None:
            (name,) = batch.targets
            stored = self.teacher_logits[torch.from_numpy(batch.rows)]
            return {name: stored.to(batch.targets[name].device)}
        return taught

    @cached_property
    def _spread(self) -> list[Tensor]:
        """The variance of the teacher's states at each depth over some examples: a constant, so that means add up."""
        assert self.teacher is not None
        examples = np.unique(np.linspace(0, len(self.sizes) - 1, 32).astype(np.int64))
        batch = self.objective.collate(examples).to(next(self.teacher.parameters()).device)
        trace = Trace([])
        with torch.no_grad():
            self.objective.logits(self.teacher, batch, trace)
        own = slice((batch.decoder or batch.inputs).num_tokens)
        return [states[own].float().var() for states in trace.hidden]

    def _inner(self, student: Trace, teacher: Trace, layout: Layout, num_tokens: int) -> dict[str, Tensor]:
        """Each part is a mean over tokens, those that only fill the batch left out."""
        match, own = self.match, slice(num_tokens)
        means: dict[str, Tensor] = {}
        if match.cosine:
            s, t = (self.projection(student.hidden[-1][own]), teacher.hidden[-1][own])
            means["cosine"] = match.cosine * (1 - F.cosine_similarity(s.float(), t.float(), dim=-1)).mean()
        if match.hidden:
            # hidden[0] is the embedding
            errors = [
                F.mse_loss(
                    self.projection(student.hidden[i + 1][own]).float(), teacher.hidden[t + 1][own].float()
                )
                / self._spread[t + 1]
                for i, t in enumerate(match.layers)
            ]
            means["hidden"] = match.hidden * torch.stack(errors).mean()
        if match.attention and student.weights is not None and teacher.weights is not None:
            errors = [
                attention_error(student.weights[i], teacher.weights[t], layout)[own].mean()
                for i, t in enumerate(match.layers)
            ]
            means["attention"] = match.attention * torch.stack(errors).mean()
        return means


def attention_error(student: list[Tensor], teacher: list[Tensor], layout: Layout) -> Tensor:
    """(tokens,): squared difference of each token's attention weights, mean over heads.

    Times the number of keys, since weights sum to 1 whatever their number.

    Differs: Jiao et al. compare the scores before the softmax.
    """
    parts = []
    for group, s, t in zip(layout.groups, student, teacher, strict=True):
        grid = (s.float() - t.float()).square().sum(-1).mean(1)
        parts.append(group.put(grid))
    return layout.join(parts) * layout.lengths[layout.rows]
