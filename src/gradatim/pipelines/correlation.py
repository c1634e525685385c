"""How well predicted numbers go with the true ones."""

from __future__ import annotations

import numpy as np

from gradatim.types import Array


def pearson(targets: Array, predicted: Array) -> float:
    """Pearson's correlation of two (n,) columns; 0 where one of them is constant."""
    x, y = (column.astype(np.float64) - column.mean(dtype=np.float64) for column in (targets, predicted))
    spread = np.sqrt((x @ x) * (y @ y))
    return float(x @ y / spread) if spread else 0.0


def spearman(targets: Array, predicted: Array) -> float:
    """Spearman's correlation: Pearson's of the ranks, equal values sharing the mean of theirs."""
    return pearson(_ranks(targets), _ranks(predicted))


def _ranks(values: Array) -> Array:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: Array = (np.cumsum(counts) - (counts - 1) / 2)[place]
    return ranks
