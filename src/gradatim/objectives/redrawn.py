"""Texts whose words are made of other pieces each time that they are read."""

from __future__ import annotations

from itertools import chain

import numpy as np

from gradatim.errors import ConfigError
from gradatim.models.inputs import PackedTexts
from gradatim.objectives.draws import uniform
from gradatim.text.lattice import Lattice
from gradatim.text.windows import ragged
from gradatim.types import Array

DIVISIONS = 16  # of a word that may be drawn: the most probable


class Redrawn:
    """Subword regularisation: a word's division is drawn by p(division)^power among its most probable ones
    (Kudo 2018, section 3.3, where divisions are of sentences). The smaller the power, the more evenly.

    Each of the `texts` is one row; one that would become longer than `longest` tokens stays as it is.
    """

    def __init__(self, texts: PackedTexts, lattice: Lattice, *, power: float, longest: int) -> None:
        if power <= 0:
            raise ConfigError(f"the power {power} of a probability must be above 0")
        self.texts, self.longest = texts, longest
        begins = lattice.begins[texts.ids]
        begins[texts.starts[texts.lengths > 0]] = True
        places = np.flatnonzero(begins)
        self._first = np.searchsorted(places, texts.starts)  # of each text, its first word
        self._counts = np.searchsorted(places, texts.starts + texts.lengths) - self._first
        numbers: dict[tuple[int, ...], int] = {}
        ids, ends = texts.ids.tolist(), [*places[1:].tolist(), len(texts.ids)]
        self._words = np.array(
            [
                numbers.setdefault(tuple(ids[a:b]), len(numbers))
                for a, b in zip(places.tolist(), ends, strict=True)
            ],
            dtype=np.int64,
        )
        divided = [lattice.divisions(word, DIVISIONS) for word in numbers]
        pieces = [division.ids for divisions in divided for division in divisions]
        self._pieces = np.fromiter(chain.from_iterable(pieces), np.int64)
        self._sizes = np.fromiter(map(len, pieces), np.int64, len(pieces))
        self._starts = np.cumsum(self._sizes) - self._sizes
        counts = np.fromiter(map(len, divided), np.int64, len(divided))
        self._best = np.cumsum(counts) - counts
        scores = (np.array([division.log_probability for division in divisions]) for divisions in divided)
        sums = (np.exp(power * (score - score[0])).cumsum() for score in scores)
        # A draw u of word w stands for the first division whose bound is above w + u.
        bounds = [number + total / total[-1] for number, total in enumerate(sums)]
        self._bounds = np.concatenate([np.zeros(0), *bounds])

    def draw(self, rows: Array, *keys: int) -> tuple[Array, Array]:
        """The flat ids of these texts and how many each has: a function of the keys, of texts and of places alone."""
        counts = self._counts[rows]
        owners = np.repeat(np.arange(len(rows)), counts)
        words = ragged(self._first[rows], counts)
        values = uniform(*keys, rows[owners], words - self._first[rows][owners])
        drawn = np.searchsorted(self._bounds, self._words[words] + values, side="right")
        lengths = np.bincount(owners, self._sizes[drawn], len(rows)).astype(np.int64)
        if (lengths > self.longest).any():
            drawn = np.where((lengths > self.longest)[owners], self._best[self._words[words]], drawn)
            lengths = np.bincount(owners, self._sizes[drawn], len(rows)).astype(np.int64)
        return self._pieces[ragged(self._starts[drawn], self._sizes[drawn])], lengths
