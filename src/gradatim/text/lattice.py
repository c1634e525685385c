"""The ways in which a unigram model divides a word into pieces, the most probable first."""

from __future__ import annotations

import heapq
import json
from typing import NamedTuple

import numpy as np

from gradatim.errors import ConfigError
from gradatim.text.tokenizer import SPACE
from gradatim.types import Array


class Division(NamedTuple):
    """The pieces of a word and log p of all of them, the sum of theirs (Kudo 2018, eq. 1)."""

    log_probability: float
    ids: tuple[int, ...]


class Lattice:
    """The pieces of the tokenizer of kind "unigram" in this `tokenizer.json`; raises ConfigError for other kinds.

    `begins` (pieces,) says of each piece whether it begins a word; special tokens are words of their own.
    """

    def __init__(self, tokenizer_json: str) -> None:
        told = json.loads(tokenizer_json)
        if (kind := told["model"]["type"]) != "Unigram":
            raise ConfigError(
                f"a tokenizer of type {kind} has no probabilities to draw pieces by: "
                "train one of kind unigram, t5 or marian"
            )
        vocabulary = told["model"]["vocab"]
        special = {token["id"] for token in told["added_tokens"]} | {told["model"]["unk_id"]}
        self._spelling = {id: piece for id, (piece, _) in enumerate(vocabulary) if id not in special}
        self._known = {piece: (vocabulary[id][1], id) for id, piece in self._spelling.items()}
        self._longest = max(map(len, self._known), default=0)
        size = 1 + max((*special - {None}, len(vocabulary) - 1))
        self.begins: Array = np.array(
            [id not in self._spelling or self._spelling[id].startswith(SPACE) for id in range(size)]
        )

    def divisions(self, pieces: tuple[int, ...], count: int) -> list[Division]:
        """The `count` most probable divisions of the word that these pieces spell: all there are, if they are fewer.

        Viterbi's search with so many survivors at each letter. What holds a special or unknown token stays as it is.
        """
        if not all(piece in self._spelling for piece in pieces):
            return [Division(0.0, pieces)]
        word = "".join(self._spelling[piece] for piece in pieces)
        found = [[Division(0.0, ())]]
        for end in range(1, len(word) + 1):
            longer = [
                Division(before.log_probability + known[0], (*before.ids, known[1]))
                for start in range(max(0, end - self._longest), end)
                if (known := self._known.get(word[start:end])) is not None
                for before in found[start]
            ]
            found.append(heapq.nlargest(count, longer))
        return found[-1]
