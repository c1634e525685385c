"""Answers from tables, learned from the answers alone: which cells they are, or what cells add up to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from gradatim.errors import DataError
from gradatim.models.classifier import GridReader
from gradatim.models.inputs import Inputs, PackedTexts
from gradatim.objectives.base import Batch, Loss
from gradatim.objectives.span import IMPOSSIBLE
from gradatim.types import Array

TINY = 1e-10


@dataclass(frozen=True, slots=True)
class Target:
    """What is known of a table and of the answer to a question about it.

    `cells` (rows, columns) marks those that are the answer, all of one column, or none; `values` (rows, columns) holds
    the number in each, NaN where there is none; `answer` is the answer as a number, NaN if it is none.
    """

    cells: Array
    values: Array
    answer: float


@dataclass(frozen=True, slots=True)
class Weak:
    """How answers are supervised, by default as published for WikiTableQuestions (Herzig et al. 2020, appendix B).

    preference  an answer that is a cell and a number is selected while aggregations have no more probability than this
    delta       where the Huber loss of a computed answer becomes linear
    cutoff      a larger loss of it counts as none
    importance  of a computed answer beside its aggregation
    among       of the choice of a cell among those of its column, which is no part of what was published: each by
                itself is so seldom the answer that a small model learns first that none is
    """

    preference: float = 0.207951
    delta: float = 0.121194
    cutoff: float = 0.664694
    importance: float = 0.985
    among: float = 0.0


PUBLISHED = Weak()


class WeakTables:
    """TAPAS's loss (Herzig et al. 2020, section 3.2): J_CS where the answer is cells, J_SA where it is computed, and of
    what may be both the one that the model now holds for likelier.

    J_CS is the cross-entropy of the column and the mean one of its cells, and -ln p(no aggregation); J_SA is
    -ln p(any aggregation) and the Huber loss of the expected result of sum, average and count, in this order, the first
    aggregation being none. All windows of a table are one. Every example must have cells or a number.

    Differs: a column is one of a softmax, as in the published code.
    """

    def __init__(self, texts: PackedTexts, targets: Sequence[Target], weak: Weak) -> None:
        if len(targets) != len(texts):
            raise DataError(f"{len(texts)} questions need as many targets, not {len(targets)}")
        self.texts, self.targets, self.weak = texts, targets, weak

    @property
    def sizes(self) -> Array:
        """Tokens of each question with its table."""
        return self.texts.sizes

    def collate(self, rows: Array, seed: int = 0) -> Batch:
        chosen = [self.targets[row] for row in rows]
        widths = np.array([one.cells.shape[1] for one in chosen])
        first = np.cumsum(widths) - widths
        columns = [np.tile(np.arange(w), len(one.cells)) for w, one in zip(widths, chosen, strict=True)]
        heights = [len(one.cells) for one in chosen]
        targets = {
            "cells": np.concatenate([one.cells.ravel() for one in chosen]).astype(np.float32),
            "values": np.nan_to_num(np.concatenate([one.values.ravel() for one in chosen])).astype(
                np.float32
            ),
            "columns": np.concatenate([own + start for own, start in zip(columns, first, strict=True)]),
            "rows": np.repeat(np.arange(sum(heights)), np.repeat(widths, heights)),
            "widths": widths,
            "sizes": np.array([one.cells.size for one in chosen]),
            "answer": np.array([one.answer for one in chosen], dtype=np.float32),
        }
        tensors = {name: torch.from_numpy(values) for name, values in targets.items()}
        counts = dict.fromkeys(("selection", "aggregation", "answer"), len(rows))
        return Batch(self.texts.take(rows), tensors, rows, counts=counts)

    def loss(self, model: GridReader, batch: Batch) -> Loss:
        logits, aggregation = model(batch.inputs)
        if aggregation is None:
            raise DataError("answers alone teach a model that aggregates; this one does not")
        pooled = batch.inputs.pool_windows(aggregation.float())
        read = _Read.of(logits.float(), batch)
        answer = batch.targets["answer"]
        likely = pooled.log_softmax(-1)
        selected = read.has_cells & (1 - likely[:, 0].exp() <= self.weak.preference)
        computed = ~answer.isnan() & ~selected.detach()
        expected = (pooled[:, 1:].softmax(-1) * read.results()).sum(-1)
        error = F.huber_loss(expected, answer.nan_to_num(), reduction="none", delta=self.weak.delta)
        near = error <= self.weak.cutoff
        zero = torch.zeros_like(error)
        parts = {
            "selection": torch.where(computed, zero, read.selection(self.weak.among)),
            "aggregation": torch.where(computed, -likely[:, 1:].logsumexp(-1) * near, -likely[:, 0]),
            "answer": torch.where(computed & near, self.weak.importance * error, zero),
        }
        return Loss({name: part.mean() for name, part in parts.items()}, batch.counts)


@dataclass(frozen=True, slots=True)
class _Read:
    """What is said of a batch: logits of all cells and of all columns of its tables, one table after another.

    `labels` and `values` are those of the cells, `read` whether they have tokens, `of_cells` the column of each;
    `names` are logits of the names of columns as if they were cells, `named` whether they have tokens, `texts` the
    table of each column; the table of width w has the `places` 0 to w - 1 of a row of `grid`, log-probabilities of
    columns.
    """

    cells: Tensor
    read: Tensor
    names: Tensor
    named: Tensor
    grid: Tensor
    labels: Tensor
    values: Tensor
    of_cells: Tensor
    texts: Tensor
    places: Tensor

    @classmethod
    def of(cls, logits: Tensor, batch: Batch) -> _Read:
        known = batch.targets
        widths, of_cells = known["widths"], known["columns"]
        texts = torch.repeat_interleave(widths)
        places = torch.arange(len(texts), device=texts.device) - (widths.cumsum(0) - widths)[texts]
        cell, column = _owners(batch.inputs, widths, known["sizes"])
        means, read = _means(logits, cell, len(of_cells))
        headers, named = _means(logits, column, len(texts))
        cells, parts, *of_rows = means.unbind(-1)
        if of_rows:
            cells = cells + _over_rows(logits[:, 2:], cell, known["rows"])
        count = named.index_add(0, of_cells, read)
        columns = (headers[:, 1].index_add(0, of_cells, parts) / count.clamp_min(1)).masked_fill(
            count == 0, IMPOSSIBLE
        )
        grid = logits.new_full((len(widths), int(widths.max())), IMPOSSIBLE)
        grid = grid.index_put((texts, places), columns).log_softmax(-1)
        return cls(
            cells, read, headers[:, 0], named, grid, known["cells"], known["values"], of_cells, texts, places
        )

    @property
    def has_cells(self) -> Tensor:
        """Whether the answer to a question is cells."""
        return self._marked().amax(-1) > 0

    def selection(self, among: float = 0.0) -> Tensor:
        """The cross-entropy of the answer's column and the mean one of its cells and its name, for each question.

        With `among`, so much more of the mean cross-entropy of the answer's cells as a choice from that column.
        """
        right = self._marked().argmax(-1)
        of_column = -self.grid.gather(1, right[:, None])[:, 0]
        chosen = right[self.texts] == self.places
        inside, name = chosen[self.of_cells] * self.read, chosen * self.named
        losses = F.binary_cross_entropy_with_logits(self.cells, self.labels, reduction="none")
        total = self._summed(losses * inside, F.softplus(self.names) * name)
        loss = of_column + total / self._summed(inside, name).clamp_min(1)
        return loss + among * self._chosen_among(inside) if among else loss

    def _chosen_among(self, inside: Tensor) -> Tensor:
        """-ln p of the answer's cells, the mean, where one cell of those `inside` is chosen, for each question."""
        owners = self.texts[self.of_cells]
        logits = self.cells.masked_fill(inside == 0, IMPOSSIBLE)
        most = logits.new_full((len(self.grid),), IMPOSSIBLE)
        most = most.scatter_reduce(0, owners, logits.detach(), "amax")
        logits = logits - most[owners]
        unlikely = self._summed(logits.exp()).log()[owners] - logits
        right = self.labels * inside
        return self._summed(unlikely * right) / self._summed(right).clamp_min(1)

    def results(self) -> Tensor:
        """Expected sum, average and count of the cells in the likeliest column, (questions, 3) (table 1)."""
        best = (self.grid.argmax(-1)[self.texts] == self.places)[self.of_cells]
        chosen = self.cells.sigmoid() * best * self.read
        count, total = self._summed(chosen), self._summed(chosen * self.values)
        return torch.stack([total, total / (count + TINY), count], -1)

    def _marked(self) -> Tensor:
        """How many cells of each column are the answer, laid out as `grid`."""
        counts = self.labels.new_zeros(len(self.texts)).index_add(0, self.of_cells, self.labels)
        return torch.zeros_like(self.grid).index_put((self.texts, self.places), counts)

    def _summed(self, values: Tensor, names: Tensor | None = None) -> Tensor:
        """Of all cells of each table, and of all names of its columns."""
        sums = values.new_zeros(len(self.grid)).index_add(0, self.texts[self.of_cells], values)
        return sums if names is None else sums.index_add(0, self.texts, names)


def _owners(inputs: Inputs, widths: Tensor, sizes: Tensor) -> tuple[Tensor, Tensor]:
    """Which cell of the batch each token is of, and of which column's name; -1 for none."""
    own = slice(inputs.num_tokens)
    texts = inputs.owners[inputs.layout.rows[own]]
    cells, columns = inputs.marks["cells"][own], inputs.marks["columns"][own]
    cell = torch.where(cells >= 0, cells + (sizes.cumsum(0) - sizes)[texts], -1)
    header = (cells < 0) & (columns > 0)
    return cell, torch.where(header, columns - 1 + (widths.cumsum(0) - widths)[texts], -1)


def _over_rows(values: Tensor, cell: Tensor, rows: Tensor) -> Tensor:
    """The mean of values (tokens, 1) over each row of a table, for each of its cells."""
    of_tokens = torch.where(cell >= 0, rows[cell], -1)
    return _means(values, of_tokens, int(rows[-1]) + 1)[0][rows, 0]


def _means(values: Tensor, parts: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The means of the values (tokens, ...) of each part, 0 where it has none; and 1 where it has any, else 0."""
    parts = parts + 1  # the first is of what has no part
    sums = values.new_zeros(count + 1, values.shape[1]).index_add(0, parts, values)[1:]
    counts = torch.bincount(parts, minlength=count + 1)[1:].to(values.dtype)
    return sums / counts.clamp_min(1)[:, None], counts.clamp_max(1)
