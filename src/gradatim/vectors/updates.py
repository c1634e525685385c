"""Updates of a table's rows, of which some come several times in one step."""

from __future__ import annotations

import numpy as np

from gradatim.text.hashing import Ints
from gradatim.vectors.table import Floats32


def summed_by_row(rows: Ints, values: Floats32) -> tuple[Ints, Floats32]:
    """Every row number once, ascending, and the sum of its values (rows, width).

    Equal rows are added in pairs, then pairs of pairs: a handful of large additions, during which other threads run.
    (`np.add.reduceat` adds rows one after the other and keeps every other thread waiting.)
    """
    order = np.argsort(rows, kind="stable")
    rows, values = rows[order], values[order]
    first = np.flatnonzero(np.diff(rows, prepend=-1))
    place = np.arange(len(rows)) - np.repeat(first, np.diff(first, append=len(rows)))  # among its equals
    step = 1
    while len(later := np.flatnonzero(place & (2 * step - 1) == step)):
        values[later - step] += values[later]
        step *= 2
    return rows[first], values[first]
