"""Contrast: texts of one label are drawn together, those of different labels apart."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from gradatim.models.classifier import Classifier
from gradatim.models.inputs import PackedTexts
from gradatim.objectives.base import Batch, Loss
from gradatim.objectives.draws import uniform
from gradatim.types import Array


class Contrast:
    """The supervised contrast of pooled vectors (Khosla et al. 2020, eq. 2), every text beside another of its label.

    `targets` is int64 (texts,) or float32 (texts, labels). Each example brings a partner, drawn from those that have
    one of its labels; a text alone with its labels is its own, read under another dropout (Gao et al. 2021). What a
    text is told apart from are the others of its micro-batch. Differs: of several labels, texts are alike by the share
    of labels in common.
    """

    def __init__(self, texts: PackedTexts, targets: Array, *, temperature: float = 0.1) -> None:
        targets = np.asarray(targets)
        self.shown = targets > 0 if targets.ndim > 1 else targets[:, None] == np.unique(targets)
        self.members = [np.flatnonzero(column) for column in self.shown.T]
        self.texts, self.temperature = texts, temperature

    @property
    def sizes(self) -> Array:
        """A partner is as long as texts are on average."""
        return self.texts.sizes + round(float(self.texts.sizes.mean()))

    def collate(self, rows: Array, seed: int = 0) -> Batch:
        draws = (uniform(seed, rows, which).tolist() for which in range(2))
        partners = [self._partner(*drawn) for drawn in zip(rows.tolist(), *draws, strict=True)]
        both = np.concatenate([rows, np.array(partners, dtype=np.int64)])
        shown = torch.from_numpy(self.shown[both]).float()
        return Batch(
            self.texts.take(both),
            {"alike": shown},
            both,
            counts={"alike": int(self.shown[both].any(1).sum())},
        )

    def loss(self, model: Classifier, batch: Batch) -> Loss:
        vectors = F.normalize(batch.inputs.pool_windows(model.features(batch.inputs).float()), dim=1)
        itself = torch.eye(len(vectors), dtype=torch.bool, device=vectors.device)
        with torch.autocast(vectors.device.type, enabled=False):  # cosines differ by less than 8 bits tell
            near = (vectors @ vectors.T / self.temperature).masked_fill(itself, -torch.inf)
            alike = likeness(batch.targets["alike"]).masked_fill(itself, 0.0)
        logs = near.log_softmax(1).masked_fill(itself, 0.0)
        means = (alike * logs).sum(1) / alike.sum(1).clamp(min=1e-9)
        count = batch.counts["alike"]
        return Loss({"alike": -means.sum() / max(1, count)}, {"alike": count})

    def _partner(self, row: int, which: float, whom: float) -> int:
        """The text drawn by two numbers in [0, 1): which of the labels, and which of those that have it."""
        labels = np.flatnonzero(self.shown[row])
        if not len(labels):
            return row
        members = self.members[labels[int(which * len(labels))]]
        others = members[members != row]
        return int(others[int(whom * len(others))]) if len(others) else row


def likeness(shown: Tensor) -> Tensor:
    """Labels in common over labels of either (texts, texts), of labels shown (texts, labels) as 0 and 1."""
    common = shown @ shown.T
    sizes = shown.sum(1)
    return common / (sizes[:, None] + sizes - common).clamp(min=1.0)
