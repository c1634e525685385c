"""Which cells of a table a model chooses, all windows of it judged together (Herzig et al. 2020, section 2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gradatim.text.grids import GridConfig
from gradatim.types import Array, Encoded

LIKELY = 0.5  # a cell that is likelier is computed with


@dataclass(frozen=True, slots=True)
class Chosen:
    """The probability of every cell, (rows, columns), 0 for one that was not read; and the aggregation's logits.

    Cells likelier than `likely` are chosen; with `some` the likeliest where there are none.
    """

    probabilities: Array
    aggregation: Array | None = None
    some: bool = False
    likely: float = LIKELY

    @property
    def cells(self) -> list[tuple[int, int]]:
        """Row and column of those that are chosen, in order."""
        found = np.argwhere(self.probabilities > self.likely)
        if self.some and not len(found) and self.probabilities.any():
            found = np.argwhere(self.probabilities == self.probabilities.max())[:1]
        return [(int(row), int(column)) for row, column in found]


def choose_cells(
    logits: Array,
    encoded: Encoded,
    shapes: Sequence[tuple[int, int]],
    config: GridConfig,
    aggregation: Array | None = None,
) -> list[Chosen]:
    """What is chosen from each table, of so many rows and columns.

    `logits` (tokens, 2 or 3) are those of cells, of columns and perhaps of rows, whose mean over a row adds to those of
    its cells; `aggregation` (rows, labels) is averaged over the windows. The logit of a column is the mean over its
    cells, the header once among them.
    """
    arrays, lengths = encoded.arrays, encoded.arrays["lengths"]
    texts = np.arange(encoded.num_texts)
    rows = np.searchsorted(encoded.owners, texts), np.searchsorted(encoded.owners, texts, side="right")
    ends = np.concatenate([[0], np.cumsum(lengths)])
    found = []
    for first, last, shape in zip(*rows, shapes, strict=True):
        own = slice(ends[first], ends[last])
        probabilities = _probabilities(
            logits[own].astype(np.float64), arrays["cells"][own], arrays["columns"][own], shape, config
        )
        pooled = None
        if aggregation is not None:
            pooled = np.average(aggregation[first:last], axis=0, weights=lengths[first:last])
        computed = pooled is not None and pooled.argmax() != config.plain
        found.append(Chosen(probabilities, pooled, config.some, likely=LIKELY if computed else config.likely))
    return found


def _probabilities(
    logits: Array, cells: Array, columns: Array, shape: tuple[int, int], config: GridConfig
) -> Array:
    rows, width = shape
    read = cells >= 0
    if config.rows:
        means, _ = _means(logits[read, 2], cells[read] // width, rows)
        logits = logits.copy()
        logits[read, 0] += means[cells[read] // width]
    if not (config.one_column or config.whole_cells):
        means, there = _means(_sigmoid(logits[read, 0]), cells[read], rows * width)
        return np.where(there, means, 0.0).reshape(shape)
    means, there = _means(logits[read, 0], cells[read], rows * width)
    probabilities = np.where(there, _sigmoid(means), 0.0).reshape(shape)
    if config.one_column:
        column = _column(logits[:, 1], cells, columns, shape, config.no_column)
        probabilities[:, np.arange(width) != column] = 0.0
    return probabilities


def _column(logits: Array, cells: Array, columns: Array, shape: tuple[int, int], no_column: bool) -> int:
    """The likeliest column, -1 for none: that of the question."""
    rows, width = shape
    part = np.where(cells >= 0, cells + width + 1, columns)  # the question, the header, and the cells
    means, there = _means(logits, part, (rows + 1) * width + 1)
    grid, counted = means[1:].reshape(rows + 1, width), there[1:].reshape(rows + 1, width)
    counts = counted.sum(axis=0)
    of_columns = np.where(counts, (grid * counted).sum(axis=0) / np.maximum(counts, 1), -np.inf)
    best = int(of_columns.argmax())
    return -1 if no_column and means[0] >= of_columns[best] else best


def _means(values: Array, parts: Array, count: int) -> tuple[Array, Array]:
    """The mean of the values of each part, and whether it has any."""
    counts = np.bincount(parts, minlength=count)
    means: Array = np.bincount(parts, weights=values, minlength=count) / np.maximum(counts, 1)
    return means, counts > 0


def _sigmoid(logits: Array) -> Array:
    probabilities: Array = 1 / (1 + np.exp(-np.clip(logits, -80, 80)))
    return probabilities
