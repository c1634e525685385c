"""Windows of a text put together again: what was said of each token, as if it had been read at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gradatim.types import Array, Encoded


@dataclass(frozen=True, slots=True)
class Wholes:
    """Whole texts, with the special tokens around each: `sizes` (texts,) in tokens, and `places`, the token of them
    that each token of the rows is.
    """

    places: Array
    sizes: Array

    @classmethod
    def of(cls, encoded: Encoded) -> Wholes:
        """Of texts, not pairs, encoded with `spans` and `places`."""
        arrays, lengths = encoded.arrays, encoded.arrays["lengths"]
        rows = np.repeat(np.arange(len(lengths)), lengths)
        starts = np.cumsum(lengths) - lengths
        inside = arrays["origins"] == 0
        before = np.concatenate([[0], np.cumsum(inside)])  # where the last row is empty it starts behind all
        seen = before[1:] - before[starts][rows]  # of the tokens of the text in this row, up to this one
        owners = encoded.owners[rows]
        counts = np.zeros(encoded.num_texts, dtype=np.int64)
        np.maximum.at(counts, owners[inside], arrays["places"][inside] + 1)
        specials = lengths - np.bincount(rows[inside], minlength=len(lengths))
        sizes = counts + specials[np.searchsorted(encoded.owners, np.arange(encoded.num_texts))]
        # Special tokens before the text, its tokens, special tokens after it.
        local = np.arange(len(rows)) - starts[rows] - seen
        local += np.where(inside, 1 + arrays["places"], np.where(seen > 0, counts[owners], 0))
        return cls((np.cumsum(sizes) - sizes)[owners] + local, sizes)

    def mean(self, values: Array, tokens: Array | slice = slice(None)) -> Array:
        """The mean over the windows that hold a token, of `values` (tokens, ...) of these tokens of the rows.

        One row for every token of the whole texts; those of which nothing was said are 0.
        """
        places = self.places[tokens]
        total = int(self.sizes.sum())
        if len(places) == total:  # no windows
            result = np.empty_like(values)
            result[places] = values
            return result
        sums = np.zeros((total, *values.shape[1:]), dtype=values.dtype)
        np.add.at(sums, places, values)
        counts = np.maximum(np.bincount(places, minlength=total), 1)
        means: Array = sums / counts.reshape(-1, *[1] * (values.ndim - 1)).astype(values.dtype)
        return means

    def first(self, values: Array) -> Array:
        """What is the same in every window: `values` (tokens,) of the rows, for the whole texts."""
        result: Array = np.zeros(int(self.sizes.sum()), dtype=values.dtype)
        result[self.places] = values
        return result

    def split(self, values: Array) -> list[Array]:
        """Values of all whole texts, text by text."""
        return np.split(values, np.cumsum(self.sizes)[:-1])
