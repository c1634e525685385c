"""The features of the linear model: hashed word and character n-grams, and what a pair shares.

The two highest bits of a key say which block it belongs to (`WORDS`, `CHARACTERS`, `OVERLAP`);
blocks are normalised separately by the session.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from gradatim.errors import ConfigError
from gradatim.text.hashing import Hashes, Ints, mix, ngrams, pack, row_lengths, salt
from gradatim.text.settings import read_settings
from gradatim.text.words import Words, in_row, split_words
from gradatim.types import Encoded

WORDS, CHARACTERS, OVERLAP = 0, 1, 2
EDGE = salt(0x110010)  # stands before and after each word, as in scikit-learn's "char_wb"


@dataclass(frozen=True, slots=True)
class FeatureSettings:
    """Which n-grams: of 1..`words` words; of `shortest`..`longest` characters (0: none) within a word."""

    words: int = 2
    shortest: int = 2
    longest: int = 5
    pairs: bool = False

    def __post_init__(self) -> None:
        if self.words < 0 or self.longest < 0 or not (self.words or self.longest):
            raise ConfigError("features need words >= 1 or longest >= 1")
        if self.longest and not 1 <= self.shortest <= self.longest:
            raise ConfigError(
                f"shortest must lie between 1 and longest = {self.longest}, not {self.shortest}"
            )


@dataclass(frozen=True, slots=True)
class Part:
    """Keys of one kind with the row and, in characters of its text, the span of each."""

    keys: Hashes
    rows: Ints
    starts: Ints
    ends: Ints


class FeatureEncoder:
    """Turns texts or pairs into feature keys, one row per text.

    Arrays: `keys` uint64 (flat; a key occurs as often as its n-gram), `lengths` int64 (rows,).
    """

    def __init__(self, settings: FeatureSettings | None = None) -> None:
        self.options = settings or FeatureSettings()

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> FeatureEncoder:
        """Rebuild from `settings()`; raise ConfigError for another kind or unknown settings."""
        return cls(read_settings(FeatureSettings, "features", settings))

    def settings(self) -> dict[str, Any]:
        """What `from_settings` needs, as JSON values."""
        return {"kind": "features", **asdict(self.options)}

    def encode(self, texts: Sequence[str], pairs: Sequence[str] | None = None) -> Encoded:
        """Hash the n-grams of each text, or of both texts of each pair and what they share."""
        parts = [part for side in self._sides(texts, pairs) for part in side]
        keys, lengths = pack([part.keys for part in parts], _row_lengths(parts, len(texts)))
        return Encoded({"keys": keys, "lengths": lengths}, np.arange(len(texts)), len(texts))

    def spans(self, texts: Sequence[str], pairs: Sequence[str] | None = None) -> tuple[Ints, Ints, Ints]:
        """For each key of `encode`, in its order: the text it is from (0 first, 1 second of the pair,
        2 neither) and the start and end of its characters there."""
        sides = self._sides(texts, pairs)
        parts = [part for side in sides for part in side]
        origins = [np.full(len(part.keys), number) for number, side in enumerate(sides) for part in side]
        lengths = _row_lengths(parts, len(texts))
        starts, ends = [part.starts for part in parts], [part.ends for part in parts]
        return pack(origins, lengths)[0], pack(starts, lengths)[0], pack(ends, lengths)[0]

    def _sides(self, texts: Sequence[str], pairs: Sequence[str] | None) -> list[list[Part]]:
        """The parts of the first text, of the second, and of what they share."""
        if (pairs is not None) != self.options.pairs:
            raise ConfigError(
                f"this encoder takes {'pairs of texts' if self.options.pairs else 'single texts'}"
            )
        first = list(self._parts(split_words(texts)))
        if pairs is None:
            return [[_tag(part, block, 0) for block, part in first]]
        second = list(self._parts(split_words(pairs)))
        sides = ([part for _, part in first], [part for _, part in second])
        shared = [_overlap(*sides, 0, len(texts)), _overlap(*sides[::-1], 1, len(texts))]
        return [
            [_tag(part, block, 1) for block, part in first],
            [_tag(part, block, 2) for block, part in second],
            shared,
        ]

    def _parts(self, words: Words) -> Iterator[tuple[int, Part]]:
        """Each kind of n-gram with its block; always the same kinds, even for empty texts."""
        for n, first, keys in ngrams(words.hashes, words.rows, 1, self.options.words):
            last = first + n - 1
            ends = words.offsets[last] + words.lengths[last]
            yield WORDS, Part(keys, words.rows[first], words.offsets[first], ends)
        if self.options.longest:
            letters, owner, left, right = _edged(words)
            for n, first, keys in ngrams(letters, owner, self.options.shortest, self.options.longest):
                yield CHARACTERS, Part(keys, words.rows[owner[first]], left[first], right[first + n - 1])


def _edged(words: Words) -> tuple[Hashes, Ints, Ints, Ints]:
    """Each word's letters between two edges: hash, number of the word, start and end in the text."""
    size = words.lengths + 2
    owner = np.repeat(np.arange(len(size)), size)
    place = np.arange(len(owner)) - np.repeat(np.cumsum(size) - size, size)
    left = words.offsets[owner] + np.clip(place - 1, 0, words.lengths[owner])
    right = words.offsets[owner] + np.minimum(place, words.lengths[owner])
    inner = (place > 0) & (place <= words.lengths[owner])
    letters = np.full(len(owner), EDGE, dtype=np.uint64)
    letters[inner] = words.letters
    return letters, owner, left, right


def _tag(part: Part, block: int, side: int) -> Part:
    """The part with keys of its block; the same n-gram in the other text of a pair is another key."""
    keys = part.keys if side == 0 else mix(part.keys ^ salt(side))
    return Part(_in_block(keys, block), part.rows, part.starts, part.ends)


def _in_block(keys: Hashes, block: int) -> Hashes:
    return (keys >> np.uint64(2)) | np.uint64(block << 62)


def _overlap(mine: Sequence[Part], other: Sequence[Part], measure: int, num_rows: int) -> Part:
    """A key per row and kind of n-gram: how many tenths of `mine`'s distinct n-grams are in `other` too."""
    kinds = len(mine)
    (keys, index), (others, _) = (_distinct(parts) for parts in (mine, other))
    cells = num_rows * kinds
    total = np.bincount(index, minlength=cells)
    common = np.bincount(index[np.isin(keys, others)], minlength=cells)
    tenths = (common * 10 // np.maximum(total, 1)).astype(np.uint64)
    names = np.tile(np.array([salt(100 + 2 * kind + measure) for kind in range(kinds)]), num_rows)
    rows, nowhere = np.repeat(np.arange(num_rows), kinds), np.zeros(cells, dtype=np.int64)
    return Part(_in_block(mix(tenths + names), OVERLAP), rows, nowhere, nowhere)


def _distinct(parts: Sequence[Part]) -> tuple[Hashes, Ints]:
    """The distinct n-grams of each row and kind: a key that tells both, and row * kinds + kind."""
    cells = np.concatenate([part.rows * len(parts) + kind for kind, part in enumerate(parts)])
    keys, first = np.unique(in_row(np.concatenate([part.keys for part in parts]), cells), return_index=True)
    return keys, cells[first]


def _row_lengths(parts: Sequence[Part], num_rows: int) -> list[Ints]:
    return [row_lengths(part.rows, num_rows) for part in parts]
