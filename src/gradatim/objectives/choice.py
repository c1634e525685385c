"""Multiple choice: which of a question's rows is the right one."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from gradatim.errors import DataError
from gradatim.models.classifier import Classifier
from gradatim.models.inputs import PackedTexts
from gradatim.nn.stack import Trace
from gradatim.objectives.base import Batch, Scored
from gradatim.objectives.span import IMPOSSIBLE
from gradatim.text.windows import ragged
from gradatim.types import Array


class Choice(Scored[Classifier]):
    """Cross-entropy of the right choice over the scores of all of a question's choices.

    Each choice is a text of its own that holds the question too (Radford et al. 2018, figure 1); the
    model gives it one score. `texts` holds the choices of one question after another, `counts`
    (questions,) says how many each has, `answers` (questions,) which is right. Examples are questions.
    """

    def __init__(self, texts: PackedTexts, counts: Array, answers: Array) -> None:
        strange = len(answers) != len(counts) or (answers < 0).any() or (answers >= counts).any()
        if strange or counts.sum() != len(texts):
            raise DataError(
                f"{len(texts)} texts, {len(counts)} questions of {counts.sum()} choices and {len(answers)} answers "
                "do not fit: every text must be a choice, and every answer one of its question's choices"
            )
        self.texts = texts
        self.counts = counts
        self.starts = np.cumsum(counts) - counts
        self.answers = torch.from_numpy(answers)

    @property
    def sizes(self) -> Array:
        return np.add.reduceat(self.texts.sizes, self.starts)

    def collate(self, rows: Array, seed: int = 0) -> Batch:
        choices = self.texts.take(ragged(self.starts[rows], self.counts[rows]))
        return Batch(choices, {"choice": self.answers[torch.from_numpy(rows)]}, rows)

    def logits(self, model: Classifier, batch: Batch, trace: Trace | None = None) -> dict[str, Tensor]:
        flat = batch.inputs.pool_windows(model(batch.inputs, trace).float())[:, 0]
        counts = torch.from_numpy(self.counts[batch.rows])
        real = (torch.arange(int(counts.max())) < counts[:, None]).to(flat.device)
        return {"choice": flat.new_full(real.shape, IMPOSSIBLE).masked_scatter(real, flat)}
