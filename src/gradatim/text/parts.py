"""A text too long to be read at once, in parts that end where sentences do."""

from __future__ import annotations

import re
from bisect import bisect_right

from tokenizers import Tokenizer

_SENTENCE = re.compile(r"[.!?…][\"'”’)\]»]*\s+|[。！？]|\n\s*")
_SPACE = re.compile(r"\s+")
_AHEAD = 8  # characters for each token of a part that are looked at first
_SETTLED = 256  # characters before the end of what is looked at: a word without its end may have other tokens


def parts(tokenizer: Tokenizer, text: str, room: int) -> list[str]:
    """The text in parts of at most `room` tokens, which joined are the text again.

    A part ends after the last sentence that fits, else after the last word, else in the middle of one; a single
    character is a part whatever its tokens.
    """

    text = text.encode("utf-8", "replace").decode("utf-8")  # half a surrogate pair is no character

    def tokens(begin: int, end: int) -> list[tuple[int, int]]:
        found: list[tuple[int, int]] = tokenizer.encode(text[begin:end], add_special_tokens=False).offsets
        return found

    def ahead(begin: int) -> list[tuple[int, int]]:
        """The tokens of all the rest, or of so much of it that the end has no say in which are the first `room`."""
        reach = _AHEAD * room + 2 * _SETTLED
        while begin + reach < len(text):
            offsets = tokens(begin, begin + reach)
            if len(offsets) > room and offsets[room][0] + _SETTLED <= reach:
                return offsets
            reach *= 2
        return tokens(begin, len(text))

    ends = [[found.end() for found in pattern.finditer(text)] for pattern in (_SENTENCE, _SPACE)]
    found, begin = [], 0
    while begin < len(text):
        cut, offsets = len(text), ahead(begin)
        while len(offsets) > room and cut > begin + 1:  # alone it may have a token more than in the text
            limit = max(begin + 1, min(cut - 1, begin + offsets[room][0]))
            cut = _last(ends[0], begin, limit) or _last(ends[1], begin, limit) or limit
            offsets = tokens(begin, cut)
        found.append(text[begin:cut])
        begin = cut
    return found or [text]


def _last(places: list[int], begin: int, limit: int) -> int | None:
    """The last of the places, which ascend, after `begin` and not after `limit`."""
    at = bisect_right(places, limit)
    return places[at - 1] if at and places[at - 1] > begin else None
