"""From text to what word vectors are learned from: the ids of frequent words, sentence by sentence."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from gradatim.errors import DataError
from gradatim.text.hashing import Ints
from gradatim.text.vocabulary import RESERVED, START, read_text
from gradatim.wording import count

SENTENCE_END = re.compile(r"[.!?\n]+")
WORD = re.compile(r"\w+(?:['’]\w+)*")  # letters and digits of any script, apostrophes inside

Blocks = Iterable[tuple[str, bytes]]  # whole lines, and where they stand


@dataclass(frozen=True, slots=True)
class Words:
    """Words in order of frequency, how often each occurs, and the text: `ids` of words, `rows` of sentences."""

    words: list[str]
    counts: Ints
    ids: Ints
    rows: Ints


def sentences(blocks: Blocks) -> Iterator[tuple[str, bytes]]:
    """Running text as lines of lower-case words, a sentence each."""
    for where, data in blocks:
        parts = (" ".join(WORD.findall(part)) for part in SENTENCE_END.split(data.decode().lower()))
        yield where, "\n".join([*filter(None, parts), ""]).encode()


def read_words(blocks: Blocks, *, min_count: int) -> Words:
    """Number the words that occur often enough; the others are left out, as if they had not been there.

    Raises DataError where fewer than two words are frequent enough.
    """
    text = read_text(blocks, min_count=min_count)
    sentence = np.cumsum(text.ids == START) - 1
    kept = text.ids >= len(RESERVED)
    ids, rows = text.ids[kept].astype(np.int64) - len(RESERVED), sentence[kept]
    counts = np.bincount(ids, minlength=len(text.vocabulary) - len(RESERVED))
    if len(counts) < 2:
        raise DataError(
            f"fewer than two words occur {count(min_count, 'time')}: give more text, or a lower min_count"
        )
    order = np.argsort(-counts, kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    names = text.vocabulary.strings[len(RESERVED) :]
    return Words([names[i] for i in order.tolist()], counts[order], rank[ids], rows)
