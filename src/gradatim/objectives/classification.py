"""Classification: cross-entropy over one label per text, or independent yes/no over several."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from gradatim.models.classifier import Classifier
from gradatim.models.inputs import PackedTexts
from gradatim.objectives.base import Batch, Loss
from gradatim.types import Array


class Classification:
    """Softmax cross-entropy with optional label smoothing, or sigmoid cross-entropy for multi-label.

    `targets` is int64 (texts,) or float32 (texts, labels). A long text's windows are pooled first,
    by the same rule as in the pipeline.
    """

    def __init__(self, texts: PackedTexts, targets: Array, *, smoothing: float = 0.0) -> None:
        self.texts = texts
        self.targets = torch.as_tensor(targets)
        self.smoothing = smoothing

    @property
    def sizes(self) -> Array:
        return self.texts.sizes

    def collate(self, rows: Array) -> Batch:
        return Batch(self.texts.take(rows), self.targets[torch.from_numpy(rows)], rows)

    def loss(self, model: Classifier, batch: Batch) -> Loss:
        logits = batch.inputs.pool_windows(model(batch.inputs).float())
        value = hard_loss(logits, batch.targets, self.smoothing)
        return Loss(value)


def hard_loss(logits: Tensor, targets: Tensor, smoothing: float = 0.0) -> Tensor:
    """Mean loss against labels: float targets mean multi-label, integer targets one class each."""
    if targets.is_floating_point():
        if smoothing:
            targets = targets * (1 - smoothing) + smoothing / 2
        # Summed over labels: the mean would shrink the gradient with the number of labels.
        return F.binary_cross_entropy_with_logits(logits, targets, reduction="sum") / len(logits)
    return F.cross_entropy(logits, targets, label_smoothing=smoothing)
