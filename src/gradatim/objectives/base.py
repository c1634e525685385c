"""What an objective is: it draws its batches and turns a model's logits into a loss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from torch import Tensor

from gradatim.models.classifier import Classifier
from gradatim.models.inputs import Inputs
from gradatim.types import Array


@dataclass(frozen=True, slots=True)
class Batch:
    """A packed batch with its targets, and which examples they are."""

    inputs: Inputs
    targets: Tensor
    rows: Array


@dataclass(frozen=True, slots=True)
class Loss:
    """The value to minimise and its named parts, for logs."""

    value: Tensor
    parts: Mapping[str, float] = field(default_factory=dict)


@runtime_checkable
class Objective(Protocol):
    """Holds its data; `sizes` are the tokens of each example, from which batches are planned."""

    @property
    def sizes(self) -> Array: ...

    def collate(self, rows: Array) -> Batch: ...

    def loss(self, model: Classifier, batch: Batch) -> Loss: ...
