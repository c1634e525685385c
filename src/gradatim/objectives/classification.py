"""Classification: cross-entropy over one label per text, or independent yes/no over several."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from gradatim.models.classifier import Classifier
from gradatim.models.inputs import PackedTexts
from gradatim.nn.stack import Trace
from gradatim.objectives.base import IGNORED, Batch, Scored, labelled
from gradatim.types import Array


class Classification(Scored[Classifier]):
    """Softmax cross-entropy with optional label smoothing, or sigmoid cross-entropy for multi-label.

    `targets` is int64 (texts,) or float32 (texts, labels); texts beyond it have no label and are only
    there for what wraps this. A long text's windows are pooled first, by the same rule as in the pipeline.
    """

    def __init__(self, texts: PackedTexts, targets: Array, *, smoothing: float = 0.0) -> None:
        targets = np.asarray(targets)
        self.multi_label = targets.dtype.kind == "f"
        missing = [(0, len(texts) - len(targets))] + [(0, 0)] * (targets.ndim - 1)
        unknown = np.nan if self.multi_label else IGNORED
        self.texts = texts
        self.targets = torch.from_numpy(np.pad(targets, missing, constant_values=unknown))
        self.smoothing = smoothing

    @property
    def sizes(self) -> Array:
        return self.texts.sizes

    def collate(self, rows: Array, seed: int = 0) -> Batch:
        return Batch(self.texts.take(rows), {"labels": self.targets[torch.from_numpy(rows)]}, rows)

    def logits(self, model: Classifier, batch: Batch, trace: Trace | None = None) -> dict[str, Tensor]:
        return {"labels": batch.inputs.pool_windows(model(batch.inputs, trace).float())}

    def score(self, logits: Tensor, targets: Tensor) -> Tensor:
        if not self.multi_label:
            return super().score(logits, targets)
        known = labelled(targets)
        targets = targets[known] * (1 - self.smoothing) + self.smoothing / 2
        # Summed over labels: the mean would shrink the gradient with the number of labels.
        return F.binary_cross_entropy_with_logits(logits[known], targets, reduction="sum")

    def imitation(self, student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
        if not self.multi_label:
            return super().imitation(student, teacher, temperature)
        wanted = teacher / temperature
        target = wanted.sigmoid()
        cross = F.binary_cross_entropy_with_logits(student / temperature, target, reduction="sum")
        entropy = F.binary_cross_entropy_with_logits(wanted, target, reduction="sum")
        return (cross - entropy) * temperature**2
