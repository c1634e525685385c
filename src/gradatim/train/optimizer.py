"""AdamW, Adafactor or SGD in groups: no decay on vectors, rates by depth, embedding rows updated only when seen."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from gradatim.train.recipe import Recipe

BLOCK = re.compile(r"(?:stack\.blocks|recurrent\.layers)\.(\d+)\.")


class Optimizer:
    """Fused AdamW (Loshchilov & Hutter 2019) for dense weights, lazy Adam for sparse embedding gradients; or
    plain stochastic gradient descent for both, with decay added to the gradient; or, for dense ones alone, Adafactor
    (Shazeer & Stern 2018), whose rate is relative to the size of each weight.

    `step(factor)` clips the global gradient norm, scales every group's rate by `factor`, updates and
    clears the gradients. Returns the norm before clipping, where the weights are.
    """

    def __init__(self, model: nn.Module, recipe: Recipe) -> None:
        self.clip = recipe.clip
        sparse = {f"{name}.weight" for name, part in model.named_modules() if _is_sparse(part)}
        named = {name: p for name, p in model.named_parameters() if p.requires_grad}
        self.dense = [p for name, p in named.items() if name not in sparse]
        self.sparse = [p for name, p in named.items() if name in sparse]
        rates = _rates(named, recipe)
        groups: dict[tuple[float, float], list[Tensor]] = {}
        for name, parameter in named.items():
            if name not in sparse:
                decay = recipe.weight_decay if parameter.dim() > 1 else 0.0
                groups.setdefault((rates[name], decay), []).append(parameter)
        self.steppers: list[torch.optim.Optimizer] = []
        betas = (0.9, recipe.beta2)
        if groups:
            dense = [
                {"params": ps, "lr": rate, "weight_decay": decay} for (rate, decay), ps in groups.items()
            ]
            match recipe.optimizer:
                case "sgd":
                    self.steppers.append(torch.optim.SGD(dense, fused=True))
                case "adafactor":
                    self.steppers.append(torch.optim.Adafactor(dense))
                case _:
                    self.steppers.append(torch.optim.AdamW(dense, betas=betas, fused=True))
        if self.sparse:
            rows = [{"params": [named[name]], "lr": rates[name]} for name in sorted(sparse & set(named))]
            plain = recipe.optimizer == "sgd"
            self.steppers.append(torch.optim.SGD(rows) if plain else LazyAdam(rows, betas=betas))
        self.peaks = [[float(group["lr"]) for group in s.param_groups] for s in self.steppers]

    def step(self, factor: float) -> Tensor:
        norm = self._clip()
        for stepper, peaks in zip(self.steppers, self.peaks, strict=True):
            for group, peak in zip(stepper.param_groups, peaks, strict=True):
                group["lr"] = peak * factor
            stepper.step()
            stepper.zero_grad()
        return norm

    def state(self) -> dict[str, Tensor]:
        """What the update rules remember, by stepper, parameter and name: the tensors themselves, no copies."""
        return {
            f"{i}.{parameter}.{name}": torch.as_tensor(value)
            for i, stepper in enumerate(self.steppers)
            for parameter, memory in stepper.state_dict()["state"].items()
            for name, value in memory.items()
        }

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """The inverse of `state`."""
        for i, stepper in enumerate(self.steppers):
            memories: dict[int, dict[str, Any]] = {}
            for key, value in state.items():
                place, parameter, name = key.split(".")
                if int(place) == i:  # counts that were int must be again: arithmetic with tensors is float32
                    number = value.dim() == 0 and not value.is_floating_point()
                    memories.setdefault(int(parameter), {})[name] = value.item() if number else value
            stepper.load_state_dict({**stepper.state_dict(), "state": memories})

    def _clip(self) -> Tensor:
        for parameter in self.sparse:
            if parameter.grad is not None:
                parameter.grad = parameter.grad.coalesce()
        values = [p.grad for p in self.dense if p.grad is not None]
        values += [p.grad._values() for p in self.sparse if p.grad is not None]
        norm: Tensor = torch.stack(torch._foreach_norm(values)).norm()
        if norm.device.type != "cpu":  # no look at the norm, which would wait for the device
            torch._foreach_mul_(values, (self.clip / (norm + 1e-6)).clamp(max=1.0))
        elif norm > self.clip:
            torch._foreach_mul_(values, self.clip / (float(norm) + 1e-6))
        return norm


class LazyAdam(torch.optim.Optimizer):
    """Adam (Kingma & Ba 2015, as at the end of section 2) on the rows that a batch has seen: neither they nor their
    moments change while they are not seen.

    What `torch.optim.SparseAdam` computes, in a tenth of the time: rows are taken out of the tables, and put back.
    Gradients are sparse and coalesced, (rows, width).
    """

    def __init__(
        self, params: Iterable[dict[str, Any]], betas: tuple[float, float], eps: float = 1e-8
    ) -> None:
        super().__init__(params, {"lr": 1e-3, "betas": betas, "eps": eps})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._move(parameter, group["lr"], group["betas"], group["eps"])

    def _move(self, table: Tensor, rate: float, betas: tuple[float, float], eps: float) -> None:
        assert table.grad is not None
        beta1, beta2 = betas
        memory = self.state[table]
        if not memory:
            memory |= {"step": 0, "exp_avg": torch.zeros_like(table), "exp_avg_sq": torch.zeros_like(table)}
        memory["step"] += 1
        rows, gradient = table.grad.indices()[0], table.grad.values()
        mean = memory["exp_avg"].index_select(0, rows).lerp_(gradient, 1 - beta1)
        square = memory["exp_avg_sq"].index_select(0, rows).mul_(beta2)
        square.addcmul_(gradient, gradient, value=1 - beta2)
        memory["exp_avg"].index_copy_(0, rows, mean)
        memory["exp_avg_sq"].index_copy_(0, rows, square)
        unbiased = math.sqrt(1 - beta2 ** memory["step"]) / (1 - beta1 ** memory["step"])
        table.index_add_(0, rows, mean.div_(square.sqrt_().add_(eps)), alpha=-rate * unbiased)


def sparse_embeddings(model: nn.Module, *, min_rows: int = 1024) -> None:
    """Let large embedding tables give sparse gradients: a step then costs what the batch holds.

    A table that is also the output layer has a gradient in every row and stays dense.
    """
    owners = Counter(id(p) for part in model.modules() for p in part._parameters.values())
    for part in model.modules():
        if isinstance(part, nn.Embedding) and part.num_embeddings >= min_rows:
            part.sparse = owners[id(part.weight)] == 1


def _is_sparse(part: nn.Module) -> bool:
    return isinstance(part, nn.Embedding) and part.sparse


def _rates(names: Iterable[str], recipe: Recipe) -> dict[str, float]:
    """Each parameter's peak rate: the head's own, then one factor of `layer_decay` per block down."""
    return {
        name: recipe.rate * recipe.layer_decay ** (level - 1) if level else recipe.head_rate or recipe.rate
        for name, level in levels(names).items()
    }


def levels(names: Iterable[str]) -> dict[str, int]:
    """How far below the output each parameter lies: the head 0, the top block 1, what is below all blocks last."""
    names = list(names)
    inside = [name for name in names if not name.startswith("head.")]
    depths = {name: int(found[1]) for name in inside if (found := BLOCK.search(name))}
    top = max(depths.values(), default=-1)
    found_levels = {}
    for name in names:
        if name.startswith("head."):
            found_levels[name] = 0
        elif "stack.norm." in name:  # closes the top block
            found_levels[name] = 1
        else:
            found_levels[name] = top - depths.get(name, -1) + 1
    return found_levels


class Unfreezing:
    """Gradual unfreezing (Howard & Ruder 2018, section 3.3): the head alone, then a block more each epoch."""

    def __init__(self, model: nn.Module) -> None:
        named = {name: p for name, p in model.named_parameters() if p.requires_grad}
        by_name = levels(named)
        self.levels = [(p, by_name[name] - min(by_name.values())) for name, p in named.items()]
        self.stages = 1 + max(level for _, level in self.levels)

    def begin(self, epoch: int) -> None:
        """Freeze what does not train in this epoch (from 0)."""
        for parameter, level in self.levels:
            parameter.requires_grad_(level <= epoch)
