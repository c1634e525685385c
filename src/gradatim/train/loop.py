"""The training loop: every method trains here and differs by its objective and recipe."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gradatim.objectives.base import Carrying, Objective, totals
from gradatim.train.batches import Plan, split
from gradatim.train.checkpointing import Checkpoints
from gradatim.train.journal import Journal
from gradatim.train.memory import keep_freed_memory
from gradatim.train.optimizer import Optimizer, Unfreezing, sparse_embeddings
from gradatim.train.processes import Processes
from gradatim.train.recipe import Recipe
from gradatim.train.run import Run

CHECKPOINTS = "checkpoints"  # the folder of them, in that of the run


@dataclass(frozen=True, slots=True)
class Trained:
    """What a run cost: optimiser steps, tokens seen, seconds, and the mean loss of its last tenth.

    `score` is the best that an evaluation gave, that of the weights kept; None without evaluations.
    """

    steps: int
    tokens: int
    seconds: float
    loss: float
    score: float | None = None

    @property
    def tokens_per_s(self) -> float:
        return self.tokens / max(self.seconds, 1e-9)


def train(
    model: nn.Module,
    objective: Objective[Any],
    recipe: Recipe,
    *,
    progress: Callable[[float], None] = lambda _share: None,
    evaluate: Callable[[], float] | None = None,
    folder: Path | None = None,
    resume: bool = False,
    processes: Processes | None = None,
    said: Mapping[str, Any] | None = None,
) -> Trained:
    """Train `model` in place; `progress` is called with the share of steps done.

    The same seed on the same machine gives the same weights, whatever `accumulate` and the number of
    processes are, up to rounding and the draws of dropout. `evaluate` scores the model as it stands, the
    higher the better; the best weights are kept. With a `folder` there are logs and checkpoints, from
    the newest of which a run goes on with `resume`, bit for bit as if it had never stopped; `said` is what else
    must then be as it was. Raises GradatimError when the loss is no longer a number, ConfigError when it resumes
    another run.
    """
    processes = processes or Processes()
    torch.manual_seed(recipe.seed + processes.rank)
    carrying = objective if isinstance(objective, Carrying) else None
    limits = recipe.epochs, recipe.batch_size, recipe.max_tokens, recipe.seed
    plan = Plan(*carrying.plan(recipe.epochs)) if carrying else Plan.of(objective.sizes, *limits)
    stepper = Stepper(model, objective, recipe, processes)
    run = Run(model, stepper.optimizer, recipe, plan, processes, carrying, said or {}, stepper.stages)
    checkpoints = Checkpoints(folder / CHECKPOINTS) if folder else None
    if resume and checkpoints and (stored := checkpoints.load()):
        run.restore(*stored)
    with Journal(folder if processes.rank == 0 else None, after=run.at.step, steps=run.total) as journal:
        while not run.over:
            step = run.at.step
            losses, tokens = stepper.gradients(plan.batches[step], step, plan.epoch(step))
            stepper.optimizer.step(run.factor(step))
            run.count(losses, tokens)
            record = run.record() if run.log_is_due else {}
            if evaluate and run.evaluation_is_due:
                record["score"] = run.evaluate(evaluate)
            if record:
                journal.write({"step": run.at.step, **record})
            if checkpoints and run.save_is_due:
                run.save(checkpoints)
            progress(run.at.step / run.total)
        run.finish(evaluate)
    if stepper.unfreezing:
        stepper.unfreezing.begin(stepper.stages)
    last = run.losses[-max(1, len(run.losses) // 10) :]
    return Trained(run.at.step, run.at.tokens, run.at.seconds, float(np.mean(last)), run.at.score)


class Stepper:
    """The gradients of one batch: in as many parts and processes as there are, exactly those of the whole."""

    def __init__(
        self, model: nn.Module, objective: Objective[Any], recipe: Recipe, processes: Processes
    ) -> None:
        model.to(processes.device).train()
        if processes.device.type == "cpu":
            keep_freed_memory()
            # A frozen sparse table cannot be synchronised, and Adafactor knows none.
            if not recipe.unfreeze and recipe.optimizer != "adafactor":
                sparse_embeddings(model)
        self.objective, self.recipe, self.processes = objective, recipe, processes
        self.optimizer = Optimizer(model, recipe)
        self.unfreezing = Unfreezing(model) if recipe.unfreeze else None
        self.stages = self.unfreezing.stages if self.unfreezing else 1  # epochs with a schedule of their own
        forward = _Forward(model, objective, recipe.bf16(processes.device.type))
        self.forward, self.optimizer.steppers = processes.prepare(
            forward, self.optimizer.steppers, freezing=recipe.unfreeze
        )

    def gradients(self, rows: np.ndarray, step: int, epoch: int) -> tuple[dict[str, Tensor], int]:
        """Leave the gradients with the parameters; the parts of the loss, and tokens, of the whole batch."""
        if self.unfreezing:
            self.unfreezing.begin(epoch)
        processes = self.processes
        shares = split(rows, processes.count, processes.rank, self.recipe.accumulate)
        idle = not shares  # fewer examples than processes: this one takes part, and adds nothing
        seed = int(np.random.SeedSequence((self.recipe.seed, step)).generate_state(1)[0])
        batches = [self.objective.collate(share, seed) for share in shares or [rows[:1]]]
        counts = {**totals(batches), "": sum(batch.num_tokens for batch in batches)}
        counts = processes.sum(dict.fromkeys(counts, 0) if idle else counts)
        tokens = counts.pop("")
        losses: dict[str, Tensor] = {}
        for i, batch in enumerate(batches):
            with nullcontext() if i + 1 == len(batches) else processes.alone(self.forward):
                here = batch if processes.device.type == "cpu" else batch.to(processes.device)
                value, parts = self.forward(here, counts)
                processes.backward(value * 0 if idle else value)
            for name, part in parts.items():
                losses[name] = losses.get(name, 0) + (part * 0 if idle else part)
        return processes.total(losses), tokens


class _Forward(nn.Module):
    """The loss as a module, so that gradients meet whichever parts of the model an objective calls."""

    def __init__(self, model: nn.Module, objective: Objective[Any], bf16: bool) -> None:
        super().__init__()
        self.model, self.objective, self.bf16 = model, objective, bf16

    def forward(self, batch: Any, counts: dict[str, int]) -> tuple[Tensor, dict[str, Tensor]]:
        with torch.autocast(batch.inputs.ids.device.type, torch.bfloat16, enabled=self.bf16):
            loss = self.objective.loss(self.model, batch)
        parts = {
            name: mean.detach() * (loss.counts[name] / max(1, counts[name]))
            for name, mean in loss.means.items()
        }
        return loss.share(counts), parts
