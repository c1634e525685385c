"""Texts to packed words, each as the bytes of its letters: for models that read words letter by letter."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from gradatim.text.pieces import PieceEncoder, without_spans, written
from gradatim.types import Array, Encoded

LETTERS = 50  # symbols of a word, what opens and closes it included; longer ones lose their middle
OPENS, CLOSES, NOTHING = 256, 257, 258  # after the 256 bytes
SYMBOLS = 259


class CharacterEncoder(PieceEncoder):
    """As `PieceEncoder` with a tokenizer of words, but `ids` are (words, LETTERS): the bytes of each word (UTF-8)."""

    kind = "letters"

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
        arrays = {**(found if spans else without_spans(found)).arrays, "ids": letters_of(known)[numbers]}
        return replace(found, arrays=arrays)


def number_words(words: Sequence[str], places: dict[str, int]) -> Array:
    """The number of each word, (words,), in order of first appearance; `places` holds those known, and grows."""
    return np.fromiter((places.setdefault(word, len(places)) for word in words), np.int64, len(words))


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
