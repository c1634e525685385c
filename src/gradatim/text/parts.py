"""A text too long to be read at once, in parts that end where sentences do."""

from __future__ import annotations

import re

from tokenizers import Tokenizer

_SENTENCE = re.compile(r"[.!?…][\"'”’)\]»]*\s+|[。！？]|\n\s*")
_SPACE = re.compile(r"\s+")


def parts(tokenizer: Tokenizer, text: str, room: int) -> list[str]:
    """The text in parts of at most `room` tokens, which joined are the text again.

    A part ends after the last sentence that fits, else after the last word, else in the middle of one; a single
    character is a part whatever its tokens.
    """

    text = text.encode("utf-8", "replace").decode("utf-8")  # half a surrogate pair is no character

    def tokens(begin: int, end: int) -> list[tuple[int, int]]:
        found: list[tuple[int, int]] = tokenizer.encode(text[begin:end], add_special_tokens=False).offsets
        return found

    if len(tokens(0, len(text))) <= room:
        return [text]
    ends = [[found.end() for found in pattern.finditer(text)] for pattern in (_SENTENCE, _SPACE)]
    found, begin = [], 0
    while begin < len(text):
        limit, fits = len(text), False
        while not fits:  # a part alone may have a token more than it had in the text
            cut = limit if limit == len(text) else _cut(ends, begin, limit)
            offsets = tokens(begin, cut)
            fits = len(offsets) <= room or cut == begin + 1
            limit = (
                max(begin + 1, min(cut - 1, begin + offsets[min(room, len(offsets) - 1)][0]))
                if offsets
                else cut
            )
        found.append(text[begin:cut])
        begin = cut
    return found


def _cut(ends: list[list[int]], begin: int, limit: int) -> int:
    """The last place after `begin` and not after `limit` where a sentence ends, else a word, else `limit`."""
    for places in ends:
        if inside := [place for place in places if begin < place <= limit]:
            return inside[-1]
    return limit
