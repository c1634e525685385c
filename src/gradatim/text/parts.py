"""A text too long to be read at once, in parts that end where sentences do."""

from __future__ import annotations

import re

from tokenizers import Tokenizer

_SENTENCE = re.compile(r"(?:[.!?…][\"'”’)\]»]*(?=\s)|[。！？](?=.)|\n)")
_SPACE = re.compile(r"\s+")


def parts(tokenizer: Tokenizer, text: str, room: int) -> list[str]:
    """The text in parts of at most `room` tokens, which joined are the text again.

    A part ends after the last sentence that fits, else after the last word, else in the middle of one.
    """
    offsets = tokenizer.encode(text, add_special_tokens=False).offsets
    if len(offsets) <= room:
        return [text]
    ends = [found.end() for found in _SENTENCE.finditer(text)]
    words = [found.end() for found in _SPACE.finditer(text)]
    found = []
    begin = token = 0
    while len(offsets) - token > room:
        limit = max(offsets[token + room][0], begin + 1)
        cut = _last(ends, begin, limit) or _last(words, begin, limit) or limit
        found.append(text[begin:cut])
        begin = cut
        while token < len(offsets) and offsets[token][1] <= begin:
            token += 1
    return [*found, text[begin:]]


def _last(places: list[int], begin: int, limit: int) -> int | None:
    """The last of these places that is after `begin` and not after `limit`."""
    return max((place for place in places if begin < place <= limit), default=None)
