"""Forecasting: every value of a numeric series from those before it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from gradatim.models.forecaster import Forecaster
from gradatim.models.inputs import Inputs
from gradatim.nn.stack import Trace
from gradatim.objectives.base import Batch, Scored
from gradatim.text.windows import ragged
from gradatim.types import Array


class SeriesLikelihood(Scored[Forecaster]):
    """-log p(z_t | all before), summed over windows of a series (Salinas et al. 2020, eq. 2).

    `features` (moments, features) say what is known before each moment, `targets` (moments,) what came; a
    window has `length` moments, and one begins every `stride`.
    """

    def __init__(self, features: Array, targets: Array, *, length: int, stride: int) -> None:
        self.features = torch.from_numpy(np.asarray(features, dtype=np.float32))
        self.targets = torch.from_numpy(np.asarray(targets, dtype=np.float32))
        self.starts = np.arange(0, max(1, len(targets) - length + 1), stride)
        self.length = min(length, len(targets))

    @property
    def sizes(self) -> Array:
        return np.full(len(self.starts), self.length)

    def collate(self, rows: Array, seed: int = 0) -> Batch:
        lengths = self.sizes[: len(rows)]
        moments = ragged(self.starts[rows], lengths)
        inputs = Inputs.of({"ids": moments, "lengths": lengths}, fill=1)  # moments stand where words do
        return Batch(inputs, {"next": self.targets[torch.from_numpy(moments)]}, rows)

    def logits(self, model: Forecaster, batch: Batch, trace: Trace | None = None) -> dict[str, Tensor]:
        inputs = batch.inputs
        return {"next": model(self.features.to(inputs.ids.device)[inputs.ids], inputs.layout)}

    def score(self, logits: Tensor, targets: Tensor) -> Tensor:
        log_prob: Tensor = Forecaster.distribution(logits).log_prob(targets)  # type: ignore[no-untyped-call]
        return -log_prob.sum()
