"""Texts to packed word pieces that say which letters were capitals: for tokenizers that make all of them small."""

from __future__ import annotations

from collections.abc import Collection
from enum import IntEnum

import numpy as np
from tokenizers import Tokenizer

from gradatim.text.spelled import SpellingEncoder
from gradatim.types import CAPITALS, Array


class Capitals(IntEnum):
    """Which letters of a piece are capitals (the "caps" feature of Collobert et al. 2011)."""

    NONE = 0
    FIRST = 1
    ALL = 2  # of several
    INSIDE = 3  # one that is not the first

    @classmethod
    def of(cls, piece: str) -> Capitals:
        if piece == piece.lower():
            return cls.NONE
        if len(piece) > 1 and piece == piece.upper():
            return cls.ALL
        return cls.FIRST if piece[0] != piece[0].lower() else cls.INSIDE


class CapitalEncoder(SpellingEncoder):
    """As `PieceEncoder`, with a further array `capitals`: what `Capitals.of` each token was in its text."""

    kind = says = CAPITALS

    @staticmethod
    def of(words: Collection[str]) -> Array:
        return np.fromiter(map(Capitals.of, words), np.int64, len(words))


def folds_case(tokenizer: Tokenizer) -> bool:
    """Whether capitals are lost on it."""
    large, small = (tokenizer.encode(letter, add_special_tokens=False).ids for letter in "Aa")
    return bool(large == small)
