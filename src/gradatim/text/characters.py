"""Texts to packed words, each as the bytes of its letters: for models that read words letter by letter."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from gradatim.text.spelled import SpellingEncoder
from gradatim.types import Array

LETTERS = 50  # symbols of a word, what opens and closes it included; longer ones lose their middle
OPENS, CLOSES, NOTHING = 256, 257, 258  # after the 256 bytes
SYMBOLS = 259


class CharacterEncoder(SpellingEncoder):
    """As `PieceEncoder` with a tokenizer of words, but `ids` are (words, LETTERS): the bytes of each word (UTF-8)."""

    kind = "letters"
    says = "ids"

    @staticmethod
    def of(words: Collection[str]) -> Array:
        return letters_of(words)


def letters_of(words: Collection[str]) -> Array:
    """The symbols of words, (words, LETTERS), int16."""
    table = np.full((len(words), LETTERS), NOTHING, dtype=np.int16)
    for row, word in zip(table, words, strict=True):
        data = word.encode("utf-8", "replace")
        if len(data) > LETTERS - 2:
            half = LETTERS // 2 - 1
            data = data[:half] + data[len(data) - half :]
        row[: len(data) + 2] = [OPENS, *data, CLOSES]
    return table
