"""Regression: one number per text."""

from __future__ import annotations

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from gradatim.models.inputs import PackedTexts
from gradatim.objectives.base import labelled
from gradatim.objectives.classification import Classification
from gradatim.types import Array


class Regression(Classification):
    """Squared error of a classifier's one output: sum over texts of (output - target)^2.

    `targets` is float (texts,), NaN or missing at the end where unknown. A student imitates its
    teacher's number; temperature has no part in it.
    """

    def __init__(self, texts: PackedTexts, targets: Array) -> None:
        super().__init__(texts, np.asarray(targets, dtype=np.float32)[:, None])

    def score(self, logits: Tensor, targets: Tensor) -> Tensor:
        known = labelled(targets)
        return F.mse_loss(logits[known], targets[known], reduction="sum")

    def imitation(self, student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
        return F.mse_loss(student, teacher, reduction="sum")
