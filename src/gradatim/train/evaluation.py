"""The loss on examples that a model does not train on."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from gradatim.objectives.base import Carrying, Objective
from gradatim.train.batches import plan_epoch
from gradatim.train.recipe import Recipe


def held_out(model: nn.Module, objective: Objective[Any], recipe: Recipe) -> float:
    """The mean loss over all examples, each part over its own targets; draws are the same at every call."""
    device = next(model.parameters()).device
    summed: dict[str, float] = {}
    counts: dict[str, int] = {}
    if isinstance(objective, Carrying):
        plan, _ = objective.plan(1)
    else:
        plan = plan_epoch(objective.sizes, recipe.batch_size, recipe.max_tokens, np.random.default_rng(0))
    training = model.training
    model.eval()
    with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=recipe.bf16(device.type)):
        for rows in plan:
            batch = objective.collate(rows)
            loss = objective.loss(model, batch if device.type == "cpu" else batch.to(device))
            for name, mean in loss.means.items():
                summed[name] = summed.get(name, 0.0) + mean.item() * loss.counts[name]
                counts[name] = counts.get(name, 0) + loss.counts[name]
    model.train(training)
    return sum(total / max(1, counts[name]) for name, total in summed.items())
