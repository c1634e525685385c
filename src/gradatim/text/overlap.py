"""Pairs of texts as rows of hashed words, for a model that only looks which words both have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gradatim.errors import DataError
from gradatim.text.hashing import pack, row_lengths
from gradatim.text.words import START, split_words
from gradatim.types import Encoded

SPECIAL = 2  # the origin of the mark that each row begins with


class OverlapEncoder:
    """A mark, the words of the first text and those of the second: `ids` (their hashes), `origins` (2, 0 and 1),
    `starts` and `ends` of each word in its text, `places` and `words`, the number of a word in its text.

    As word pieces have them, but that a row is never cut and a word is one piece.
    """

    kind = "overlap"

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> OverlapEncoder:
        """The encoder that wrote these `settings`."""
        return cls()

    def settings(self) -> dict[str, str]:
        """What `from_settings` needs."""
        return {"kind": self.kind}

    def encode(
        self,
        texts: Sequence[str],
        pairs: Sequence[str] | None = None,
        *,
        spans: bool = True,
        places: bool = True,
    ) -> Encoded:
        """Texts with their pairs, all of which is always told; raises DataError for single texts."""
        if pairs is None:
            raise DataError("this model reads pairs of texts")
        count, none = len(texts), np.zeros(len(texts), dtype=np.int64)
        sides = [split_words(side) for side in (texts, pairs)]
        lengths = [none + 1, *(row_lengths(side.rows, count) for side in sides)]
        first = np.concatenate([np.cumsum(sizes) - sizes for sizes in lengths[1:]])
        number = [np.arange(len(side.rows)) for side in sides]
        begins = np.split(first, 2)
        inside = [at - start[side.rows] for at, start, side in zip(number, begins, sides, strict=True)]
        columns = {
            "ids": [np.full(count, START), *(side.hashes for side in sides)],
            "origins": [none + SPECIAL, *(np.full(len(side.rows), i) for i, side in enumerate(sides))],
            "starts": [none, *(side.offsets for side in sides)],
            "ends": [none, *(side.offsets + side.lengths for side in sides)],
            "places": [none, *inside],
        }
        arrays = {name: pack(parts, lengths)[0] for name, parts in columns.items()}
        arrays |= {"words": arrays["places"], "lengths": np.sum(lengths, axis=0)}
        return Encoded(arrays, np.arange(count), count)
