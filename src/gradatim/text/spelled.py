"""Packed word pieces of which more is said than their ids: what follows from how each is spelled in its text."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np

from gradatim.text.pieces import PieceEncoder, without_spans, written
from gradatim.types import Array, Encoded


class SpellingEncoder(PieceEncoder):
    """As `PieceEncoder`, with an array named `says`, which holds what `of` says of every token."""

    says: ClassVar[str]

    @staticmethod
    @abstractmethod
    def of(words: Collection[str]) -> Array:
        """A row, or a number, for each of these words, no two of which are equal."""

    def encode(
        self,
        texts: Sequence[str],
        pairs: Sequence[str] | None = None,
        *,
        spans: bool = False,
        places: bool = False,
    ) -> Encoded:
        found = super().encode(texts, pairs, spans=True, places=places)
        known: dict[str, int] = {}
        numbers = number_words(written(found, texts, pairs), known)
        told = found if spans else without_spans(found)
        return replace(told, arrays={**told.arrays, self.says: self.of(known)[numbers]})


def number_words(words: Sequence[str], places: dict[str, int]) -> Array:
    """The number of each word, (words,), in order of first appearance; `places` holds those known, and grows."""
    return np.fromiter((places.setdefault(word, len(places)) for word in words), np.int64, len(words))
