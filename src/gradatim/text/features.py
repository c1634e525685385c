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
from gradatim.text.hashing import Hashes, Ints, interleave, mix, ngrams, row_lengths, salt
from gradatim.text.words import Words, in_row, split_words
from gradatim.types import Encoded

WORDS, CHARACTERS, OVERLAP = 0, 1, 2
EDGE = salt(0x110010)  # stands before and after each word, as in scikit-learn's "char_wb"
BINS = 10  # a pair's share of common n-grams is told in tenths


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
            raise ConfigError(f"shortest must lie between 1 and longest = {self.longest}, not {self.shortest}")


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
        if settings.get("kind") != "features":
            raise ConfigError(f"encoder kind {settings.get('kind')!r} is not 'features'")
        try:
            return cls(FeatureSettings(**{name: value for name, value in settings.items() if name != "kind"}))
        except TypeError as error:
            raise ConfigError(f"feature settings {dict(settings)} cannot be read: {error}") from None

    def settings(self) -> dict[str, Any]:
        """What `from_settings` needs, as JSON values."""
        return {"kind": "features", **asdict(self.options)}

    def encode(self, texts: Sequence[str], pairs: Sequence[str] | None = None) -> Encoded:
        """Hash the n-grams of each text, or of both texts of each pair and what they share."""
        parts = [part for side in self._sides(texts, pairs) for part in side]
        keys, lengths = _pack([part.keys for part in parts], parts, len(texts))
        return Encoded({"keys": keys, "lengths": lengths}, np.arange(len(texts)), len(texts))

    def spans(self, texts: Sequence[str], pairs: Sequence[str] | None = None) -> tuple[Ints, Ints, Ints]:
        """For each key of `encode`, in its order: the text it is from (0 first, 1 second of the pair,
        2 neither) and the start and end of its characters there."""
        sides = self._sides(texts, pairs)
        parts = [part for side in sides for part in side]
        origins = [np.full(len(part.keys), number) for number, side in enumerate(sides) for part in side]
        origin, _ = _pack(origins, parts, len(texts))
        start, _ = _pack([part.starts for part in parts], parts, len(texts))
        end, _ = _pack([part.ends for part in parts], parts, len(texts))
        return origin, start, end

    def _sides(self, texts: Sequence[str], pairs: Sequence[str] | None) -> list[list[Part]]:
        """The parts of the first text, of the second, and of what they share."""
        if (pairs is not None) != self.options.pairs:
            raise ConfigError(f"this encoder takes {'pairs of texts' if self.options.pairs else 'single texts'}")
        first = list(self._parts(split_words(texts)))
        if pairs is None:
            return [[_tag(part, block, 0) for block, part in first]]
        second = list(self._parts(split_words(pairs)))
        shared = [
            part
            for number, ((_, a), (_, b)) in enumerate(zip(first, second, strict=True))
            for part in _overlap(a, b, number, len(texts))
        ]
        return [
            [_tag(part, block, 1) for block, part in first],
            [_tag(part, block, 2) for block, part in second],
            shared,
        ]

    def _parts(self, words: Words) -> Iterator[tuple[int, Part]]:
        """Each kind of n-gram with its block; always the same kinds, even for empty texts."""
        found = {n: (first, keys) for n, first, keys in ngrams(words.hashes, words.rows, 1, self.options.words)}
        for n in range(1, self.options.words + 1):
            first, keys = found.get(n, _NONE)
            last = first + n - 1
            ends = words.offsets[last] + words.lengths[last]
            yield WORDS, Part(keys, words.rows[first], words.offsets[first], ends)
        if not self.options.longest:
            return
        letters, owner, left, right = _edged(words)
        found = {
            n: (first, keys)
            for n, first, keys in ngrams(letters, owner, self.options.shortest, self.options.longest)
        }
        for n in range(self.options.shortest, self.options.longest + 1):
            first, keys = found.get(n, _NONE)
            yield CHARACTERS, Part(keys, words.rows[owner[first]], left[first], right[first + n - 1])


_NONE = (np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.uint64))


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


def _overlap(a: Part, b: Part, number: int, num_rows: int) -> Iterator[Part]:
    """One key per row and measure: the share of `a`'s n-grams that are in `b`, and the reverse, in bins."""
    kinds = [np.unique(in_row(part.keys, part.rows), return_index=True) for part in (a, b)]
    every = np.arange(num_rows)
    nowhere = np.zeros(num_rows, dtype=np.int64)
    for measure, (part, (mine, index), (other, _)) in enumerate(zip((a, b), kinds, kinds[::-1], strict=True)):
        rows = part.rows[index]
        total = np.bincount(rows, minlength=num_rows)
        share = np.bincount(rows, weights=np.isin(mine, other), minlength=num_rows) / np.maximum(total, 1)
        level = np.floor(share * BINS).astype(np.uint64)
        keys = mix(level + salt(100 + 2 * number + measure))
        yield Part(_in_block(keys, OVERLAP), every, nowhere, nowhere)


def _pack(arrays: Sequence[Any], parts: Sequence[Part], num_rows: int) -> tuple[Any, Ints]:
    """The arrays, one per part, as one array row by row, and the row lengths."""
    place, lengths = interleave([row_lengths(part.rows, num_rows) for part in parts])
    flat = np.concatenate(arrays)
    if place is None:
        return flat, lengths
    packed = np.empty_like(flat)
    packed[place] = flat
    return packed, lengths
