"""Averages of the weights over the steps of a run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Average:
    """The mean of the weights over the last steps (Polyak & Juditsky 1992), every `stride` from `start` on.

    With a `decay` d above 0 it is the running average m = d m + (1 - d) w, which begins as the mean.
    """

    def __init__(self, model: nn.Module, *, start: int, stride: int = 1, decay: float = 0.0) -> None:
        self.parameters: list[Tensor] = [p for p in model.parameters() if p.requires_grad]
        self.start, self.stride, self.decay, self.count = start, stride, decay, 0
        self.means: list[Tensor] = []

    @torch.no_grad()
    def update(self, step: int) -> None:
        if step < self.start or (step - self.start) % self.stride:
            return
        self.count += 1
        if not self.means:
            self.means = [p.detach().clone() for p in self.parameters]
        else:
            share = max(1 / self.count, 1 - self.decay) if self.decay else 1 / self.count
            torch._foreach_lerp_(self.means, self.parameters, share)

    @torch.no_grad()
    def apply(self) -> None:
        if self.means:
            torch._foreach_copy_(self.parameters, self.means)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The model has the averaged weights for a while, if there are any."""
        own = [parameter.detach().clone() for parameter in self.parameters] if self.means else []
        self.apply()
        yield
        if own:
            with torch.no_grad():
                torch._foreach_copy_(self.parameters, own)
