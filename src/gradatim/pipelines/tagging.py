"""Tagging: which word each token is a piece of, the tag of each word, and entities with their offsets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from gradatim.pipelines.classification import softmax
from gradatim.types import OUTSIDE, Array, Encoded

Span = tuple[int, int]
IMPOSSIBLE = -1e4  # the logit of what cannot be


@dataclass(frozen=True, slots=True)
class Entity:
    """A named stretch of a text, `text[start:end]`; `score` is the mean probability of its words' tags."""

    label: str
    text: str
    start: int
    end: int
    score: float


def joined(words: Sequence[str]) -> tuple[str, list[Span]]:
    """Words as one text with a space between, and where in it each of them lies."""
    ends = accumulate((len(word) + 1 for word in words), initial=0)
    return " ".join(words), [(start, start + len(word)) for start, word in zip(ends, words, strict=False)]


def word_of_tokens(encoded: Encoded, spans: Sequence[Sequence[Span]]) -> Array:
    """Per token the word that it is a piece of, counted through the words of all texts, int64; -1 for none.

    `encoded` has been made with `spans=True`; `spans` holds, per text, where its words lie, in order.
    """
    arrays = encoded.arrays
    owners = np.repeat(encoded.owners, arrays["lengths"])
    # Characters counted through all texts, so that one search finds the words of all tokens.
    begins = np.cumsum([0, *(words[-1][1] + 1 if words else 1 for words in spans)])
    starts, ends = (
        np.array([begins[i] + word[side] for i, words in enumerate(spans) for word in words], dtype=np.int64)
        for side in (0, 1)
    )
    # A piece of a byte-level tokenizer may begin with the space before its word: its end decides.
    last = begins[owners] + np.maximum(arrays["ends"] - 1, arrays["starts"])
    found = np.searchsorted(starts, last, side="right") - 1
    inside = (arrays["origins"] == 0) & (found >= 0)
    # Tokens of blanks behind a text's last word are counted where the next text has words.
    texts = np.array([i for i, words in enumerate(spans) for _ in words], dtype=np.int64)
    named = found[inside]
    inside[inside] = (last[inside] < ends[named]) & (owners[inside] == texts[named])
    words: Array = np.where(inside, found, -1)
    return words


def word_logits(logits: Array, words: Array, num_words: int, default: int = 0) -> Array:
    """Logits (words, labels) of each word's first piece; a word without pieces has the label `default` for certain.

    `logits` (tokens, labels), `words` (tokens,) from `word_of_tokens`.
    """
    found = np.full((num_words, logits.shape[1]), IMPOSSIBLE, dtype=np.float32)
    found[:, default] = 0.0
    named, places = np.unique(words, return_index=True)
    found[named[named >= 0]] = logits[places[named >= 0]]
    return found


def tag_words(logits: Array, words: Array, num_words: int, labels: Sequence[str]) -> tuple[list[str], Array]:
    """The tag of each word, as its first piece has it, and its probability; arguments as of `word_logits`.

    A word without pieces is outside.
    """
    probabilities = softmax(word_logits(logits, words, num_words, outside(labels)))
    return [labels[best] for best in probabilities.argmax(axis=1).tolist()], probabilities.max(axis=1)


def outside(labels: Sequence[str]) -> int:
    """The label of what is in no entity; the first where there is none such."""
    return labels.index(OUTSIDE) if OUTSIDE in labels else 0


def iob2_transitions(labels: Sequence[str]) -> Array:
    """Scores (labels + 1, labels) that allow an I- only after a B- or I- of its kind; the last line begins a text."""
    allowed = [[tag[:2] != "I-" or before[2:] == tag[2:] for tag in labels] for before in (*labels, OUTSIDE)]
    return np.where(allowed, np.float32(0), np.float32(IMPOSSIBLE))


def chunks(tags: Sequence[str]) -> Iterator[tuple[str, int, int]]:
    """Label, first word and end of every entity in IOB2 tags; an I- that goes on with nothing begins one."""
    label, begin = "", 0
    for i, tag in enumerate([*tags, OUTSIDE]):
        goes_on = label and tag[:2] == "I-" and tag[2:] == label
        if not goes_on:
            if label:
                yield label, begin, i
            label, begin = tag[2:], i


def entities(text: str, words: Sequence[Span], tags: Sequence[str], scores: Array) -> list[Entity]:
    """The entities of a text whose words lie at `words` and have these tags, with these probabilities."""
    found = []
    for label, first, end in chunks(tags):
        start, stop = words[first][0], words[end - 1][1]
        found.append(Entity(label, text[start:stop], start, stop, float(scores[first:end].mean())))
    return found
