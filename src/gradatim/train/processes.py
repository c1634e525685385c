"""Where a run computes: one process on the CPU, or what `accelerate launch` made, on any device."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn


class Processes:
    """One process. The default, which costs nothing: no other library is loaded."""

    rank = 0
    count = 1
    device = torch.device("cpu")

    def prepare(
        self, step: nn.Module, steppers: list[torch.optim.Optimizer], *, freezing: bool = False
    ) -> tuple[nn.Module, list[torch.optim.Optimizer]]:
        """The step whose backward pass adds up the gradients of all processes, and its optimisers.

        `freezing` says that some parameters will get no gradient.
        """
        return step, steppers

    def alone(self, step: nn.Module) -> AbstractContextManager[Any]:
        """Backward passes inside leave their gradients with this process."""
        return nullcontext()

    def backward(self, value: Tensor) -> None:
        value.backward()  # type: ignore[no-untyped-call]

    def sum(self, values: Mapping[str, int]) -> dict[str, int]:
        """Counts added up over all processes, which must give the same names."""
        return dict(values)

    def total(self, parts: dict[str, Tensor]) -> dict[str, Tensor]:
        """Scalars added up over all processes, which must give the same names."""
        return parts

    def gather(self, value: Tensor) -> Tensor:
        """(processes, *shape) on the host: what each process has."""
        return value[None].cpu()

    def any(self, flag: bool) -> bool:
        """Whether one process says so; the answer is the same in all."""
        return flag

    def first(self, value: float) -> float:
        """What the first process says."""
        return value


class Launched(Processes):
    """The processes and the device that Accelerate finds: one CPU, several (gloo), one GPU or several (nccl)."""

    def __init__(self) -> None:
        from accelerate import Accelerator

        # Precision is the recipe's: the loop computes in bfloat16 itself, in one place.
        self.accelerator = Accelerator(mixed_precision="no")
        self.rank: int = self.accelerator.process_index
        self.count: int = self.accelerator.num_processes
        self.device: torch.device = self.accelerator.device

    def prepare(
        self, step: nn.Module, steppers: list[torch.optim.Optimizer], *, freezing: bool = False
    ) -> tuple[nn.Module, list[torch.optim.Optimizer]]:
        from accelerate import DistributedDataParallelKwargs

        self.accelerator.ddp_handler = DistributedDataParallelKwargs(find_unused_parameters=freezing)
        prepared = self.accelerator.prepare(step, *steppers)
        return (prepared[0], list(prepared[1:])) if steppers else (prepared, [])

    def alone(self, step: nn.Module) -> AbstractContextManager[Any]:
        context: AbstractContextManager[Any] = self.accelerator.no_sync(step)
        return context

    def backward(self, value: Tensor) -> None:
        # What is added up over processes is then a mean (DDP); ours are shares of a sum.
        self.accelerator.backward(value * self.count if self.count > 1 else value)

    def sum(self, values: Mapping[str, int]) -> dict[str, int]:
        if self.count == 1:
            return dict(values)
        summed = self.accelerator.reduce(torch.tensor(list(values.values()), device=self.device), "sum")
        return dict(zip(values, summed.tolist(), strict=True))

    def total(self, parts: dict[str, Tensor]) -> dict[str, Tensor]:
        if self.count == 1:
            return parts
        summed = self.accelerator.reduce(torch.stack(list(parts.values())), "sum")
        return dict(zip(parts, summed.unbind(), strict=True))

    def gather(self, value: Tensor) -> Tensor:
        gathered: Tensor = self.accelerator.gather(value[None].to(self.device))
        return gathered.cpu()

    def any(self, flag: bool) -> bool:
        return self.sum({"": int(flag)})[""] > 0

    def first(self, value: float) -> float:
        return float(self.gather(torch.tensor(value, dtype=torch.float64))[0])
