"""AdamW in groups: no decay on vectors, rates by depth, and embedding rows updated only when seen."""

from __future__ import annotations

import re
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from gradatim.train.recipe import Recipe

BLOCK = re.compile(r"stack\.blocks\.(\d+)\.")


class Optimizer:
    """Fused AdamW (Loshchilov & Hutter 2019) for dense weights, lazy Adam for sparse embedding gradients.

    `step(factor)` clips the global gradient norm, scales every group's rate by `factor`, updates and
    clears the gradients. Returns the norm before clipping.
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
        if groups:
            dense = [
                {"params": ps, "lr": rate, "weight_decay": decay} for (rate, decay), ps in groups.items()
            ]
            self.steppers.append(torch.optim.AdamW(dense, fused=True))
        if self.sparse:
            rows = [{"params": [named[name]], "lr": rates[name]} for name in sorted(sparse & set(named))]
            self.steppers.append(torch.optim.SparseAdam(rows))
        self.peaks = [[float(group["lr"]) for group in s.param_groups] for s in self.steppers]

    def step(self, factor: float) -> float:
        norm = self._clip()
        for stepper, peaks in zip(self.steppers, self.peaks, strict=True):
            for group, peak in zip(stepper.param_groups, peaks, strict=True):
                group["lr"] = peak * factor
            stepper.step()
            stepper.zero_grad()
        return norm

    def _clip(self) -> float:
        for parameter in self.sparse:
            if parameter.grad is not None:
                parameter.grad = parameter.grad.coalesce()
        values = [p.grad for p in self.dense if p.grad is not None]
        values += [p.grad._values() for p in self.sparse if p.grad is not None]
        norm = float(torch.stack(torch._foreach_norm(values)).norm())
        if norm > self.clip:
            torch._foreach_mul_(values, self.clip / (norm + 1e-6))
        return norm


def sparse_embeddings(model: nn.Module, *, min_rows: int = 1024) -> None:
    """Let large embedding tables give sparse gradients: a step then costs what the batch holds."""
    for part in model.modules():
        if isinstance(part, nn.Embedding) and part.num_embeddings >= min_rows:
            part.sparse = True


def warmup_linear(step: int, total: int, warmup: float) -> float:
    """The factor on the peak rate: up linearly over the warm-up, then down to zero at `total`."""
    rise = max(1, round(total * warmup))
    return (step + 1) / rise if step < rise else max(0.0, (total - step) / max(1, total - rise))


def _is_sparse(part: nn.Module) -> bool:
    return isinstance(part, nn.Embedding) and part.sparse


def _rates(names: Iterable[str], recipe: Recipe) -> dict[str, float]:
    """Each parameter's peak rate: the head's own, then one factor of `layer_decay` per block down."""
    names = list(names)
    depths = {name: int(found[1]) for name in names if (found := BLOCK.search(name))}
    top = max(depths.values(), default=-1)
    rates = {}
    for name in names:
        if name.startswith("head."):
            rates[name] = recipe.head_rate or recipe.rate
        else:
            below_top = top - depths[name] if name in depths else top + 1
            rates[name] = recipe.rate * recipe.layer_decay**below_top
    return rates
