"""Where a run stands: what is counted, evaluated, averaged, saved and restored."""

from __future__ import annotations

import hashlib
import json
import math
import time
from bisect import bisect_right
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from gradatim.errors import ConfigError, GradatimError
from gradatim.objectives.base import Carrying
from gradatim.train.averaging import Average
from gradatim.train.batches import Plan
from gradatim.train.checkpointing import Checkpoints, prefixed, under
from gradatim.train.optimizer import Optimizer
from gradatim.train.processes import Processes
from gradatim.train.recipe import Recipe

AVERAGED = 25  # sets of weights that enter an average, about
MAY_CHANGE = {"log_every", "save_every", "save_every_s"}  # of a recipe, when a run goes on


@dataclass(slots=True)
class Position:
    """Steps done, tokens seen, seconds spent on them; the best score, and evaluations since."""

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    score: float | None = None
    stale: int = 0


class Run:
    """Everything of a run that outlives a step, and so goes into its checkpoints."""

    def __init__(
        self,
        model: nn.Module,
        optimizer: Optimizer,
        recipe: Recipe,
        plan: Plan,
        processes: Processes,
        carrying: Carrying[Any] | None,
        said: Mapping[str, Any],
        stages: int = 1,
    ) -> None:
        self.model, self.optimizer, self.recipe = model, optimizer, recipe
        self.processes, self.plan, self.total = processes, plan, len(plan.batches)
        self.carrying, self.said = carrying, said
        self.stages = plan.epochs[:stages]
        tail = self.total if recipe.ema else int(self.total * recipe.average)
        stride = 1 if recipe.ema or recipe.trigger else max(1, tail // AVERAGED)
        self.average = Average(model, start=self.total - tail, stride=stride, decay=recipe.ema)
        self.at = Position()
        self.losses: list[float] = []
        self.best: dict[str, Tensor] = {}
        self._pending: list[Tensor] = []  # losses still on the device: to look at them is to wait for it
        self._parts: dict[str, float] = {}
        self._clock = self._saved_at = time.perf_counter()
        self._logged_tokens, self._logged_s = 0, 0.0

    @property
    def over(self) -> bool:
        """Whether all steps are done, or patience is."""
        return self.at.step >= self.total or 0 < self.recipe.patience <= self.at.stale

    @property
    def log_is_due(self) -> bool:
        return self.at.step % self.recipe.log_every == 0 or self.over

    @property
    def evaluation_is_due(self) -> bool:
        every, step = self.recipe.evaluate_every, self.at.step
        return step == self.total or (step % every == 0 if every else self.plan.ends_epoch(step - 1))

    @property
    def save_is_due(self) -> bool:
        every = self.recipe.save_every
        if self.over or (every and self.at.step % every == 0):
            return True
        late = time.perf_counter() - self._saved_at > self.recipe.save_every_s
        return self.log_is_due and self.processes.any(late)

    def factor(self, step: int) -> float:
        """The factor on the peak rate at a step: the schedule begins anew in each of the first `stages` epochs."""
        i = bisect_right(self.stages, step)
        begin, end = self.stages[i - 1], [*self.stages, self.total][i]
        return self.recipe.factor(step - begin, end - begin)

    def count(self, losses: Mapping[str, Tensor], tokens: int) -> None:
        """A step is done; of these parts is its loss, and so many tokens were in it."""
        self._parts = dict.fromkeys(losses, math.nan)
        self._pending.append(torch.stack(list(losses.values())))
        self.average.update(self.at.step)
        self.at.step += 1
        self.at.tokens += tokens

    def settle(self) -> None:
        """Fetch losses and time; raises GradatimError if a loss is not a number."""
        for parts in torch.stack(self._pending).tolist() if self._pending else []:
            self.losses.append(sum(parts))
            self._parts = dict(zip(self._parts, parts, strict=True))
            if not math.isfinite(self.losses[-1]):
                raise GradatimError(
                    f"training diverged: the loss is {self.losses[-1]} at step {len(self.losses)}; lower the "
                    f"rate ({self.recipe.rate:g}) or train with precision fp32"
                )
        self._pending = []
        now = time.perf_counter()
        self.at.seconds += now - self._clock
        self._clock = now

    def record(self) -> dict[str, float]:
        """The loss, mean since the last record, with its parts where there are several, and tokens per second."""
        self.settle()
        since = (self.at.step - 1) % self.recipe.log_every + 1
        recent = self.losses[-since:]
        seconds, tokens = self.at.seconds - self._logged_s, self.at.tokens - self._logged_tokens
        self._logged_s, self._logged_tokens = self.at.seconds, self.at.tokens
        parts = {f"loss/{name}": part for name, part in self._parts.items()} if len(self._parts) > 1 else {}
        return {
            "loss": sum(recent) / len(recent),
            **parts,
            "rate": self.recipe.rate * self.factor(self.at.step - 1),
            "tokens": self.at.tokens,
            "tokens_per_s": tokens / max(seconds, 1e-9),
        }

    def evaluate(self, score_of: Callable[[], float]) -> float:
        """The score of the weights as they stand, or of their triggered average; the best so far are kept."""
        self.settle()
        self.model.eval()
        with self.average.applied() if self.recipe.trigger else nullcontext():
            score = self.processes.first(score_of() if self.processes.rank == 0 else 0.0)
            if self.at.score is None or score > self.at.score:
                self.at.score, self.at.stale = score, 0
                self.best = {name: tensor.clone() for name, tensor in weights(self.model).items()}
            else:
                self.at.stale += 1
        self.model.train()
        if 0 < self.recipe.trigger <= self.at.stale and self.average.start > self.at.step:
            self.average.start, self.at.stale = self.at.step, 0
        self._clock = time.perf_counter()  # to evaluate is not to train
        return score

    def finish(self, score_of: Callable[[], float] | None) -> None:
        """Average the weights where that was asked for, and take the best of all that were evaluated."""
        self.settle()
        self.average.apply()
        if score_of and self.average.means and not self.recipe.trigger:
            self.evaluate(score_of)
        _fill(self.model, self.best)
        self.model.eval()

    def save(self, checkpoints: Checkpoints) -> None:
        self.settle()
        draws = {"cpu": self.processes.gather(torch.get_rng_state())}
        if self.processes.device.type == "cuda":
            draws["cuda"] = self.processes.gather(torch.cuda.get_rng_state())
        carried = [self.processes.gather(part) for part in self.carrying.carried] if self.carrying else []
        if self.processes.rank == 0:
            tensors = {
                **prefixed("model", weights(self.model)),
                **prefixed("optimizer", self.optimizer.state()),
                **prefixed("average", {str(i): mean for i, mean in enumerate(self.average.means)}),
                **prefixed("best", self.best),
                **prefixed("draws", draws),
                **prefixed("carried", {str(i): part for i, part in enumerate(carried)}),
                "losses": torch.tensor(self.losses, dtype=torch.float64),
            }
            average = {"averaged": self.average.count, "averaged_from": self.average.start}
            facts = {**self._identity, "at": asdict(self.at), **average}
            checkpoints.save(self.at.step, tensors, facts)
        self._clock = self._saved_at = time.perf_counter()

    def restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Go on from a checkpoint; raises ConfigError if it is one of another run."""
        self._refuse_others(facts)
        _fill(self.model, under("model", tensors))
        self.optimizer.restore(under("optimizer", tensors))
        device = self.processes.device
        means = under("average", tensors)
        self.average.means = [means[str(i)].to(device) for i in range(len(means))]
        self.average.count, self.average.start = facts["averaged"], facts["averaged_from"]
        self.best = {name: tensor.to(device) for name, tensor in under("best", tensors).items()}
        self.losses = tensors["losses"].tolist()
        if self.carrying:
            parts = under("carried", tensors)
            own = [parts[str(i)][self.processes.rank].to(device) for i in range(len(parts))]
            self.carrying.carry(self.model, own)
        self.at = Position(**facts["at"])
        self._logged_tokens, self._logged_s = self.at.tokens, self.at.seconds
        torch.set_rng_state(tensors["draws.cpu"][self.processes.rank])
        if "draws.cuda" in tensors:
            torch.cuda.set_rng_state(tensors["draws.cuda"][self.processes.rank])

    @cached_property
    def _identity(self) -> dict[str, Any]:
        """What must not change while a run is stopped."""
        plan = hashlib.sha256()
        for rows in self.plan.batches:
            plan.update(rows.astype("<i8").tobytes() + b"/")
        settings = {name: value for name, value in asdict(self.recipe).items() if name not in MAY_CHANGE}
        said = json.loads(json.dumps({**settings, **self.said}))  # as it comes back from a file
        shapes = {name: list(tensor.shape) for name, tensor in weights(self.model).items()}
        return {
            "recipe": said,
            "model": hashlib.sha256(repr(shapes).encode()).hexdigest(),
            "examples and their lengths": plan.hexdigest(),
            "number of processes": self.processes.count,
        }

    def _refuse_others(self, facts: Mapping[str, Any]) -> None:
        here = self._identity
        changed = [
            f"{name} was {facts['recipe'].get(name)}, is {value}"
            for name, value in here["recipe"].items()
            if facts["recipe"].get(name, value) != value  # what older versions did not store cannot differ
        ]
        changed += [f"the {name} changed" for name in here if name != "recipe" and facts[name] != here[name]]
        if changed:
            raise ConfigError(
                f"this is not the run that was stopped: {'; '.join(changed)}. Resume it as it was, or start "
                "anew in another folder"
            )


def weights(model: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers of a model, what is shared once."""
    kept = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    return {name: tensor.detach() for name, tensor in model.state_dict().items() if name in kept}


@torch.no_grad()
def _fill(model: nn.Module, values: Mapping[str, Tensor]) -> None:
    own = weights(model)
    for name, value in values.items():
        own[name].copy_(value)
