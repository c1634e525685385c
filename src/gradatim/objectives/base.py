"""What an objective is: it draws its batches and turns a model's logits into a loss."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gradatim.models.inputs import Inputs
from gradatim.nn.packed import moved
from gradatim.nn.stack import Trace
from gradatim.types import Array

IGNORED = -100  # the class of what has no label; where targets are floats, NaN

M = TypeVar("M", bound=nn.Module)
M_contra = TypeVar("M_contra", bound=nn.Module, contravariant=True)


@dataclass(frozen=True, slots=True)
class Batch:
    """A packed batch with its targets, and which examples (`rows`) they are.

    `targets` go by the name of the part of the loss that they make, and `counts` says over how many
    targets each part is a mean. `at` lists the tokens that are scored, where not all are; `decoder`
    is what a decoder reads while the encoder reads `inputs`.
    """

    inputs: Inputs
    targets: Mapping[str, Tensor]
    rows: Array
    at: Tensor | None = None
    decoder: Inputs | None = None
    counts: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.counts:
            counts = {name: int(labelled(target).sum()) for name, target in self.targets.items()}
            object.__setattr__(self, "counts", counts)

    @property
    def num_tokens(self) -> int:
        """Tokens read, those of both sides where there are two."""
        return self.inputs.num_tokens + (self.decoder.num_tokens if self.decoder else 0)

    def to(self, device: torch.device) -> Batch:
        """The same batch with every tensor on `device`."""
        return moved(self, device)


@dataclass(frozen=True, slots=True)
class Loss:
    """Named means, each over its own number of targets; what is minimised is their sum."""

    means: Mapping[str, Tensor]
    counts: Mapping[str, int]

    @property
    def value(self) -> Tensor:
        return torch.stack(list(self.means.values())).sum()

    @property
    def weight(self) -> int:
        """How many targets the first part scores: value * weight adds up where there is one part."""
        return self.counts[next(iter(self.means))]

    @property
    def parts(self) -> dict[str, float]:
        """The means as numbers, for logs."""
        return {name: mean.item() for name, mean in self.means.items()}

    def share(self, totals: Mapping[str, int]) -> Tensor:
        """What this micro-batch adds to a batch of these `totals`: the shares sum to that batch's value, exactly."""
        shares = [mean * (self.counts[name] / max(1, totals[name])) for name, mean in self.means.items()]
        return torch.stack(shares).sum()


def totals(batches: Iterable[Batch]) -> dict[str, int]:
    """The counts of all micro-batches of a step, added by name: known before the first is computed."""
    summed: dict[str, int] = {}
    for batch in batches:
        for name, count in batch.counts.items():
            summed[name] = summed.get(name, 0) + count
    return summed


@runtime_checkable
class Objective(Protocol[M_contra]):
    """Holds its data; `sizes` are the tokens of each example, from which batches are planned.

    `collate` is a pure function: what it draws depends on the seed and on the example, never on the
    batch around it. So a run that gives every step (or every epoch) a seed of its own, and all
    micro-batches and processes of a step the same one, resumes and splits without changing a draw.
    """

    @property
    def sizes(self) -> Array: ...

    def collate(self, rows: Array, seed: int = 0) -> Batch: ...

    def loss(self, model: M_contra, batch: Batch) -> Loss: ...


@runtime_checkable
class Carrying(Protocol[M_contra]):
    """An objective whose batches follow one another: it has an order of its own, and a state that it carries on.

    `plan` lists the batches of so many epochs and which of them begin one. `carried` is what a run must
    keep to go on later, given back with `carry`.
    """

    def plan(self, epochs: float) -> tuple[list[Array], list[int]]: ...

    @property
    def carried(self) -> list[Tensor]: ...

    def carry(self, model: M_contra, tensors: list[Tensor]) -> None: ...


class Scored(ABC, Generic[M]):
    """An objective that scores logits: softmax cross-entropy of each named part, unless it overrides `score`.

    Logits and their loss are apart, so that distillation can wrap whatever is scored.
    """

    smoothing: float = 0.0

    @property
    @abstractmethod
    def sizes(self) -> Array:
        """Tokens of each example."""

    @abstractmethod
    def collate(self, rows: Array, seed: int = 0) -> Batch:
        """The batch of these examples."""

    @abstractmethod
    def logits(self, model: M, batch: Batch, trace: Trace | None = None) -> dict[str, Tensor]:
        """float32 (targets, classes) for each part of the loss, one row per target."""

    def score(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The loss of one part, summed over its labelled targets."""
        return F.cross_entropy(
            logits, targets, ignore_index=IGNORED, label_smoothing=self.smoothing, reduction="sum"
        )

    def imitation(self, student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
        """T^2 KL(teacher || student) at temperature T, summed over targets (Hinton et al. 2015, section 2.1)."""
        q, p = ((logits / temperature).log_softmax(-1) for logits in (student, teacher))
        return F.kl_div(q, p, reduction="sum", log_target=True) * temperature**2

    def judge(self, logits: Mapping[str, Tensor], batch: Batch) -> Loss:
        """The loss of logits that are already there."""
        means = {
            name: self.score(logits[name], target) / max(1, batch.counts[name])
            for name, target in batch.targets.items()
        }
        return Loss(means, {name: batch.counts[name] for name in means})

    def loss(self, model: M, batch: Batch) -> Loss:
        return self.judge(self.logits(model, batch), batch)


def labelled(targets: Tensor) -> Tensor:
    """Which targets are known, bool (targets,)."""
    return (
        ~targets.reshape(len(targets), -1).isnan().any(1)
        if targets.is_floating_point()
        else targets != IGNORED
    )
