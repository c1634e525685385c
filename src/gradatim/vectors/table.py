"""Words and their vectors: who is near whom, and what an expression of words comes to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from gradatim.errors import DataError, did_you_mean

Floats32 = npt.NDArray[np.float32]
_TERM = re.compile(r"([+-]?)\s*([^\s+-]\S*)")


@dataclass(frozen=True)
class WordVectors:
    """`words` in order of frequency as far as their source has them so, and `table` (words, width), float32."""

    words: Sequence[str]
    table: Floats32

    def __len__(self) -> int:
        return len(self.words)

    @property
    def width(self) -> int:
        """Numbers of a vector."""
        return int(self.table.shape[1])

    @cached_property
    def rows(self) -> dict[str, int]:
        """The row of each word; the first, where a word stands twice."""
        return {word: row for row, word in reversed(list(enumerate(self.words)))}

    @cached_property
    def unit(self) -> Floats32:
        """The table with rows of length 1 (0 where there is nothing to scale)."""
        lengths = np.sqrt(np.einsum("ij,ij->i", self.table, self.table, dtype=np.float64))[:, None]
        scaled: Floats32 = (self.table / np.maximum(lengths, 1e-12)).astype(np.float32)
        return scaled

    def row(self, word: str) -> int | None:
        """The row of a word as it stands or else in lower case; None where there is neither."""
        found = self.rows.get(word)
        return self.rows.get(word.lower()) if found is None else found

    def near(self, expression: str, top: int = 10) -> list[tuple[str, float]]:
        """The `top` words of the highest cosine with "king - man + woman", those of the expression left out.

        Vectors are scaled to length 1 before they are added (Mikolov et al. 2013). Raises DataError for words
        that are not there.
        """
        terms = [(1, expression)] if expression in self.rows else parse(expression)
        rows = [self._known(word) for _, word in terms]
        wanted = sum(sign * self.unit[row] for (sign, _), row in zip(terms, rows, strict=True))
        cosines = self.unit @ (wanted / max(float(np.linalg.norm(wanted)), 1e-12))
        cosines[rows] = -np.inf
        top = min(top, len(cosines) - len(set(rows)))
        best = np.argpartition(-cosines, top - 1)[:top] if top > 0 else np.zeros(0, np.int64)
        best = best[np.argsort(-cosines[best])]
        return [(self.words[row], float(cosines[row])) for row in best.tolist()]

    def cosine(self, one: str, other: str) -> float:
        """The cosine of two words; raises DataError for one that is not there."""
        return float(self.unit[self._known(one)] @ self.unit[self._known(other)])

    def take(self, words: Iterable[str]) -> WordVectors:
        """The vectors of these words; raises DataError for one that is not there."""
        listed = list(words)
        return WordVectors(listed, self.table[[self._known(word) for word in listed]])

    def _known(self, word: str) -> int:
        row = self.row(word)
        if row is None:
            raise DataError(f"no vector for '{word}'{did_you_mean(word, self.words[:20000])}")
        return row


def parse(expression: str) -> list[tuple[int, str]]:
    """Signs and words of "king - man + woman"; a sign stands alone or before its word. Raises DataError."""
    terms = [(-1 if sign == "-" else 1, word) for sign, word in _TERM.findall(expression)]
    left = _TERM.sub("", expression).strip()
    if not terms or left:
        raise DataError(f"'{expression}' is no sum of words, as 'king - man + woman'")
    return terms
