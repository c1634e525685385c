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
    order = _order(rows)
    rows, values = rows[order], values[order]
    first = np.concatenate([[0], np.flatnonzero(rows[1:] != rows[:-1]) + 1])
    sizes = np.append(first[1:], len(rows)) - first
    place = np.arange(len(rows)) - np.repeat(first, sizes)  # among its equals
    step = 1
    while len(later := np.flatnonzero(place & (2 * step - 1) == step)):
        values[later - step] += values[later]
        step *= 2
    return rows[first], values[first]


def _order(rows: Ints) -> Ints:
    """What sorts them, equal ones as they come: by row and place in one number, since numbers are sorted fast."""
    bits = len(rows).bit_length()
    keys: Ints = np.sort((rows.astype(np.int64) << bits) | np.arange(len(rows)))
    return keys & ((1 << bits) - 1)
