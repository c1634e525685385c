"""The training loop: every method trains here and differs by its objective and recipe."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from gradatim.errors import GradatimError
from gradatim.models.classifier import Classifier
from gradatim.objectives.base import Objective
from gradatim.train.batches import plan_epoch
from gradatim.train.optimizer import Optimizer, sparse_embeddings, warmup_linear
from gradatim.train.recipe import Recipe

AVERAGED = 25  # sets of weights that enter an average, about


@dataclass(frozen=True, slots=True)
class Trained:
    """What a run cost: optimiser steps, tokens seen, seconds, and the mean loss of its last tenth."""

    steps: int
    tokens: int
    seconds: float
    loss: float

    @property
    def tokens_per_s(self) -> float:
        return self.tokens / max(self.seconds, 1e-9)


def train(
    model: Classifier,
    objective: Objective,
    recipe: Recipe,
    *,
    progress: Callable[[float], None] = lambda _share: None,
) -> Trained:
    """Train `model` in place; `progress` is called with the share of steps done.

    The same seed on the same machine gives the same weights.
    """
    torch.manual_seed(recipe.seed)
    rng = np.random.default_rng(recipe.seed)
    batches = _plan(objective, recipe, rng)
    sparse_embeddings(model)
    optimizer = Optimizer(model, recipe)
    tail = int(len(batches) * recipe.average)
    average = Average(model, start=len(batches) - tail, stride=max(1, tail // AVERAGED))
    losses: list[float] = []
    tokens, started = 0, time.perf_counter()
    model.train()
    for step, rows in enumerate(batches):
        batch = objective.collate(rows)
        with torch.autocast("cpu", torch.bfloat16, enabled=recipe.bf16()):
            loss = objective.loss(model, batch)
        loss.value.backward()  # type: ignore[no-untyped-call]
        optimizer.step(warmup_linear(step, len(batches), recipe.warmup))
        losses.append(loss.value.item())
        if not math.isfinite(losses[-1]):
            raise GradatimError(
                f"training diverged: the loss is {losses[-1]} at step {step + 1}; lower the rate "
                f"({recipe.rate:g}) or train with precision fp32"
            )
        tokens += batch.inputs.num_tokens
        if recipe.average:
            average.update(step)
        progress((step + 1) / len(batches))
    if recipe.average:
        average.apply()
    model.eval()
    last = losses[-max(1, len(losses) // 10) :]
    return Trained(len(batches), tokens, time.perf_counter() - started, float(np.mean(last)))


class Average:
    """The running mean of the weights over the last steps (Polyak & Juditsky 1992), every `stride` from `start` on."""

    def __init__(self, model: Classifier, *, start: int, stride: int = 1) -> None:
        self.parameters: list[torch.Tensor] = [p for p in model.parameters() if p.requires_grad]
        self.start, self.stride, self.count = start, stride, 0
        self.means: list[torch.Tensor] = []

    @torch.no_grad()
    def update(self, step: int) -> None:
        if step < self.start or (step - self.start) % self.stride:
            return
        self.count += 1
        if not self.means:
            self.means = [p.detach().clone() for p in self.parameters]
        else:
            torch._foreach_lerp_(self.means, self.parameters, 1 / self.count)

    @torch.no_grad()
    def apply(self) -> None:
        if self.means:
            torch._foreach_copy_(self.parameters, self.means)


def _plan(objective: Objective, recipe: Recipe, rng: np.random.Generator) -> list[np.ndarray]:
    """All batches of the run: whole epochs, and the first part of one more for a fraction."""
    batches: list[np.ndarray] = []
    whole = int(recipe.epochs)
    for _ in range(whole):
        batches += plan_epoch(objective.sizes, recipe.batch_size, recipe.max_tokens, rng)
    if recipe.epochs > whole:
        part = plan_epoch(objective.sizes, recipe.batch_size, recipe.max_tokens, rng)
        batches += part[: max(1, round(len(part) * (recipe.epochs - whole)))]
    return batches
