"""Words and their hashes: where the words of a text are, in any script, and the `WordEncoder`.

A word is a run of letters, digits and marks (an apostrophe between two of them belongs to it); an
ideograph or syllable of a script written without spaces is a word; so is a run of one repeated
symbol ("!!!", "..."). White space and control characters separate. Words are compared in lower case.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gradatim.errors import ConfigError
from gradatim.text.hashing import Hashes, Ints, hash_runs, mix, pack, row_lengths, salt
from gradatim.types import Encoded

SPACE, LETTER, SINGLE, SYMBOL, APOSTROPHE = 1, 2, 3, 4, 5
UNSPACED = (
    (0x2E80, 0x3130),
    (0x31A0, 0xA4D0),
    (0xF900, 0xFB00),
    (0xFF66, 0xFFA0),
    (0x1B000, 0x1B300),
    (0x20000, 0x40000),
)

# Filled on first sight of a character: a text shows a few hundred of the 1.1 million code points.
_KIND = np.zeros(0x110000, dtype=np.uint8)
_LOWER = np.zeros(0x110000, dtype=np.uint32)

START, END, COPY = (salt(0x110000 + i) for i in range(3))  # no word hashes to them


@dataclass(frozen=True, slots=True)
class Words:
    """The words of a batch of texts, in order.

    `letters` holds a hash per character of all words, back to back; word i lies at
    `starts[i] : starts[i] + lengths[i]` of it and at `offsets[i] : offsets[i] + lengths[i]` of its
    text, which is number `rows[i]` of `num_rows`. `hashes[i]` is the hash of the whole word.
    """

    letters: Hashes
    starts: Ints
    lengths: Ints
    offsets: Ints
    rows: Ints
    hashes: Hashes
    num_rows: int


def split_words(texts: Sequence[str]) -> Words:
    """Find and hash the words of all texts at once; offsets count characters of the given texts."""
    sizes = np.fromiter((len(text) + 1 for text in texts), dtype=np.int64, count=len(texts))
    raw = "".join([f"{text}\n" for text in texts]).encode("utf-32-le", "surrogatepass")
    codes = np.frombuffer(raw, dtype=np.uint32)
    kinds = _kinds(codes)
    codes = _LOWER[codes]
    joins = np.zeros(len(codes) + 1, dtype=bool)  # joins[i]: character i continues the word of i - 1
    joins[1:-1] = (kinds[1:] == kinds[:-1]) & (
        (kinds[1:] == LETTER) | ((kinds[1:] == SYMBOL) & (codes[1:] == codes[:-1]))
    )
    inked = kinds != SPACE
    first = np.flatnonzero(inked & ~joins[:-1])
    lengths = np.flatnonzero(inked & ~joins[1:]) + 1 - first
    starts = np.cumsum(lengths) - lengths
    letters = mix(codes[inked].astype(np.uint64) + np.uint64(1))
    row_starts = np.cumsum(sizes) - sizes
    rows = np.searchsorted(row_starts, first, side="right") - 1
    return Words(
        letters,
        starts,
        lengths,
        first - row_starts[rows],
        rows,
        hash_runs(letters, starts, lengths),
        len(texts),
    )


def _kinds(codes: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint8]:
    """What each character is to the splitter."""
    kinds = _KIND[codes]
    if not kinds.all():
        for code in np.unique(codes[kinds == 0]).tolist():
            _learn(code)
        kinds = _KIND[codes]
    marks = np.flatnonzero(kinds == APOSTROPHE)
    if len(marks):
        inside = (kinds[marks - 1] == LETTER) & (kinds[np.minimum(marks + 1, len(kinds) - 1)] == LETTER)
        kinds[marks] = np.where(inside, LETTER, SYMBOL)
    return kinds


def _learn(code: int) -> None:
    """Enter one character into the tables; the kind last, so that another thread never sees half."""
    character = chr(code)
    lowered = character.lower()
    category = unicodedata.category(character)
    _LOWER[code] = ord(lowered) if len(lowered) == 1 else code  # one to one, to keep offsets
    if character in "'\u2019":
        _LOWER[code], kind = ord("'"), APOSTROPHE
    elif any(low <= code < high for low, high in UNSPACED) and category[0] == "L":
        kind = SINGLE
    elif category[0] in "LNM" or (category == "Cf" and code != 0xFEFF):  # joiners hold a word together
        kind = LETTER
    elif category[0] == "Z" or category in ("Cc", "Cf"):
        kind = SPACE
    else:
        kind = SYMBOL
    _KIND[code] = kind


class WordEncoder:
    """Turns texts into word hashes framed by `START` and `END`, one row per text.

    Arrays: `words` uint64 (flat), `lengths` int64 (rows,). A row of a pair holds both texts, each
    framed; a word of the second that also occurs in the first is replaced by `COPY`, so that a
    model of the row sees how much the two share.
    """

    def __init__(self, *, pairs: bool = False) -> None:
        self.pairs = pairs

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> WordEncoder:
        """Rebuild from `settings()`; raise ConfigError for another kind."""
        if settings.get("kind") != "words":
            raise ConfigError(f"encoder kind {settings.get('kind')!r} is not 'words'")
        return cls(pairs=bool(settings.get("pairs", False)))

    def settings(self) -> dict[str, Any]:
        """What `from_settings` needs, as JSON values."""
        return {"kind": "words", "pairs": self.pairs}

    def encode(self, texts: Sequence[str], pairs: Sequence[str] | None = None) -> Encoded:
        """Hash the words of each text, or of each pair of texts."""
        if (pairs is not None) != self.pairs:
            raise ConfigError(f"this encoder takes {'pairs of texts' if self.pairs else 'single texts'}")
        num_rows = len(texts)
        first = split_words(texts)
        parts = _framed(first.hashes, first.rows, num_rows)
        if pairs is not None:
            second = split_words(pairs)
            copied = np.isin(in_row(second.hashes, second.rows), in_row(first.hashes, first.rows))
            parts += _framed(np.where(copied, COPY, second.hashes), second.rows, num_rows)
        words, lengths = pack(
            [hashes for hashes, _ in parts], [row_lengths(rows, num_rows) for _, rows in parts]
        )
        return Encoded({"words": words, "lengths": lengths}, np.arange(num_rows), num_rows)


def _framed(hashes: Hashes, rows: Ints, num_rows: int) -> list[tuple[Hashes, Ints]]:
    """Hashes with their rows, between a START and an END in each row."""
    every = np.arange(num_rows)
    return [(np.full(num_rows, START), every), (hashes, rows), (np.full(num_rows, END), every)]


def in_row(hashes: Hashes, rows: Ints) -> Hashes:
    """Hashes that are equal only for equal hashes of the same row."""
    return mix(hashes ^ mix(rows.astype(np.uint64) + np.uint64(1)))
