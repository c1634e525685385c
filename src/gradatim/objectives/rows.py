"""Rows cut out of flat token streams."""

from __future__ import annotations

import numpy as np

from gradatim.models.inputs import PackedTexts
from gradatim.text.windows import ragged
from gradatim.types import Array


def cut(starts: Array, lengths: Array, longest: int) -> tuple[Array, Array]:
    """Runs of tokens, each cut into rows of at most `longest`: starts and lengths of the rows."""
    counts = -(-lengths // longest)
    owners = np.repeat(np.arange(len(lengths)), counts)
    skipped = longest * (np.arange(len(owners)) - (np.cumsum(counts) - counts)[owners])
    return starts[owners] + skipped, np.minimum(longest, lengths[owners] - skipped)


def tokens_of(texts: PackedTexts, rows: Array) -> Array:
    """Where the tokens of these texts lie in the flat arrays of all, in the order of `texts.take(rows)`."""
    return ragged(texts.starts[texts.first_row[rows]], texts.sizes[rows])
