"""The features of words in their sentences: the word, its shape, beginning and end, and what stands beside it."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from gradatim.errors import ConfigError
from gradatim.text.hashing import BASE, Hashes, Ints, hash_runs, mix, salt
from gradatim.text.raw import Span, find_words
from gradatim.text.settings import read_settings
from gradatim.text.windows import ragged
from gradatim.types import Array, Encoded

NOTHING = salt(0x110020)  # stands beside the first and the last word of a sentence
SALTS = np.array([salt(number) for number in range(256)])
END = 0x110000  # a letter after the last of every word
UPPER, LOWER, DIGIT, MARK, OTHER = range(1, 6)  # what a letter is to the shape of its word

_KIND = np.zeros(END + 1, dtype=np.uint8)  # filled on first sight, as in `text.words`
_FOLDED = np.arange(END + 1, dtype=np.uint32)
_KIND[END] = OTHER


@dataclass(frozen=True, slots=True)
class ContextSettings:
    """`alone`: the word as it is written and nothing else. `affix`: letters of the longest beginning and end."""

    alone: bool = False
    affix: int = 4

    def __post_init__(self) -> None:
        if not 1 <= self.affix <= 64:
            raise ConfigError(f"affix must lie between 1 and 64, not {self.affix}")


class ContextEncoder:
    """Turns sentences into features of their words, one row per text, equally many of every word.

    Arrays: `keys` uint64 (words, features), `lengths` int64 (rows,) in words; with `spans` as of `PieceEncoder`, where
    a token is a word: `starts`, `ends`, `origins`, and `ids` that are all 0.
    """

    def __init__(self, settings: ContextSettings | None = None) -> None:
        self.options = settings or ContextSettings()

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> ContextEncoder:
        """Rebuild from `settings()`; raise ConfigError for another kind or unknown settings."""
        return cls(read_settings(ContextSettings, "contexts", settings))

    def settings(self) -> dict[str, Any]:
        """What `from_settings` needs, as JSON values."""
        return {"kind": "contexts", **asdict(self.options)}

    def encode(
        self,
        texts: Sequence[str],
        pairs: Sequence[str] | None = None,
        *,
        spans: bool = False,
        places: bool = False,
        words: Sequence[Sequence[Span]] | None = None,
    ) -> Encoded:
        """The words of each text lie at `words`, else where `find_words` finds them."""
        if pairs is not None:
            raise ConfigError("this encoder takes single texts")
        found = [find_words(text) for text in texts] if words is None else words
        lengths = np.fromiter(map(len, found), np.int64, len(texts))
        written = [text[start:end] for text, row in zip(texts, found, strict=True) for start, end in row]
        arrays: dict[str, Array] = {"keys": self._keys(written, lengths), "lengths": lengths}
        if spans:
            flat = np.array([span for row in found for span in row], dtype=np.int64).reshape(-1, 2)
            nothing = np.zeros(len(flat), dtype=np.int64)
            arrays |= {"starts": flat[:, 0], "ends": flat[:, 1], "origins": nothing, "ids": nothing}
        if spans and places:
            arrays["places"] = arrays["words"] = ragged(np.zeros(len(texts), dtype=np.int64), lengths)
        return Encoded(arrays, np.arange(len(texts)), len(texts))

    def _keys(self, words: Sequence[str], lengths: Ints) -> Hashes:
        """Each kind of feature has a number, which is mixed into its keys."""
        letters = _Letters.of(words)
        written, folded, shape = letters.hashes()
        rows = (
            written[None]
            if self.options.alone
            else np.stack([written, *self._columns(letters, folded, shape, lengths)])
        )
        return np.ascontiguousarray(mix(rows ^ SALTS[: len(rows), None]).T)

    def _columns(self, letters: _Letters, folded: Hashes, shape: Hashes, lengths: Ints) -> Iterator[Hashes]:
        """The kinds of features but for the word as it is written, each (words,)."""
        runs, (first, last) = letters.runs(), letters.ends(self.options.affix)
        near = _beside(np.stack([folded, runs, last[min(2, len(last) - 1)]]), lengths)
        yield from (folded, shape, runs, *first, *last, *near[0], *near[1], near[2, 1], near[2, 2])
        (before2, before, after, after2), (_, shape_before, shape_after, _) = near[0], near[1]
        pairs = [
            (before, folded), (folded, after), (before2, before), (after, after2), (shape_before, runs),
            (runs, shape_after), (before, runs), (runs, after),
        ]  # fmt: skip
        loud = letters.loud(lengths)
        found = _both(*map(np.stack, zip(*pairs, (loud, runs), (loud, folded), strict=True)))
        yield from (*found, _both(found[4], shape_after))


def _both(one: Hashes, other: Hashes) -> Hashes:
    return mix(one * BASE + other)


def _beside(hashes: Hashes, lengths: Ints) -> Hashes:
    """What stands two and one words before and after each in its row: of `hashes` (kinds, words), (kinds, 4, words)."""
    rows, total = np.repeat(np.arange(len(lengths)), lengths), hashes.shape[-1]
    at = np.arange(total) + np.array([[-2], [-1], [1], [2]])
    inside = (at >= 0) & (at < total)
    at = np.clip(at, 0, max(0, total - 1))
    return np.where(inside & (rows[at] == rows), hashes[:, at], NOTHING)


@dataclass(frozen=True, slots=True)
class _Letters:
    """The code points of all words, `END` after each word; where each word begins, and its size with that."""

    codes: Array
    starts: Ints
    sizes: Ints

    @classmethod
    def of(cls, words: Sequence[str]) -> _Letters:
        raw = "\n".join([*words, ""]).encode("utf-32-le", "surrogatepass")
        codes = np.frombuffer(raw, dtype=np.uint32).copy()
        sizes = np.fromiter((len(word) + 1 for word in words), np.int64, len(words))
        starts = np.cumsum(sizes) - sizes
        codes[starts + sizes - 1] = END
        if (unknown := _KIND[codes] == 0).any():
            for code in np.unique(codes[unknown]).tolist():
                _learn(code)
        return cls(codes, starts, sizes)

    def hashes(self) -> Hashes:
        """Of each word as it is written, in small letters, and of its shape, (3, words)."""
        kinds = np.stack([self.codes, _FOLDED[self.codes], _KIND[self.codes]])
        return hash_runs(_mixed(kinds), self.starts, self.sizes)

    def runs(self) -> Hashes:
        """Of the shape of each word, its length left out: (words,)."""
        kinds = _KIND[self.codes]
        kept = np.ones(len(kinds), dtype=bool)
        kept[1:] = kinds[1:] != kinds[:-1]
        kept[self.starts] = True
        if not len(self.starts):
            return np.zeros(0, dtype=np.uint64)
        sizes = np.add.reduceat(kept, self.starts, dtype=np.int64)
        return hash_runs(_mixed(kinds[kept]), np.cumsum(sizes) - sizes, sizes)

    def ends(self, most: int) -> tuple[Hashes, Hashes]:
        """Of the first letters of each word in small letters, one to `most` of them, and of the last: (most, words)."""
        letters, place = _mixed(_FOLDED[self.codes]), np.arange(most)[:, None]
        powers = np.multiply.accumulate(np.full((most, 1), BASE), axis=0)
        stops = self.starts + self.sizes - 1
        found = []
        for at in (self.starts + place, stops - 1 - place):
            inside = (at >= self.starts) & (at <= stops)
            some = letters.take(at, mode="clip") if len(letters) else np.zeros(at.shape, dtype=np.uint64)
            found.append(mix(np.cumsum(np.where(inside, some, 0) * powers, axis=0, dtype=np.uint64)))
        return found[0], found[1]

    def loud(self, lengths: Ints) -> Hashes:
        """Whether the sentence of each word is written in capitals, as headlines are: (words,)."""
        words = np.repeat(np.arange(len(self.sizes)), self.sizes)
        rows = np.repeat(np.arange(len(lengths)), lengths)
        kinds = _KIND[self.codes]
        large, small = (
            np.bincount(rows[words[kinds == kind]], minlength=len(lengths)) for kind in (UPPER, LOWER)
        )
        return mix((large > 2 * small)[rows].astype(np.uint64))


def _mixed(codes: Array) -> Hashes:
    return mix(codes.astype(np.uint64) + np.uint64(1))


def _learn(code: int) -> None:
    """Enter one character into the tables, its kind last."""
    character = chr(code)
    folded = character.casefold()
    _FOLDED[code] = ord(folded) if len(folded) == 1 else code
    category = unicodedata.category(character)
    kinds = {"Lu": UPPER, "Lt": UPPER, "Ll": LOWER, "Nd": DIGIT}
    _KIND[code] = kinds.get(category, OTHER if category[0] in "LNM" else MARK)
