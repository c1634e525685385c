"""Answers as spans of a context: the likeliest over all windows, and by how much they exceed there being none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from gradatim.types import Array, Encoded

NEVER = -np.inf
LEAST = np.finfo(np.float64).tiny  # a probability that is not zero
Found = dict[str, Any]
NOTHING: Found = {"score": 0.0, "start": 0, "end": 0, "answer": ""}


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, `context[start:end]`, empty where no span is possible.

    `score` is by how much the logarithm of its probability exceeds that of there being none.
    """

    text: str
    start: int
    end: int
    score: float


def best_answers(logits: Array, encoded: Encoded, contexts: Sequence[str], *, longest: int) -> list[Answer]:
    """The likeliest answer to each question, whether or not it would be said."""
    answers = []
    for found, nothing in found_spans(logits, encoded, contexts, longest=longest):
        best = found[0] if found else NOTHING
        score = margin(best["score"], nothing)
        answers.append(Answer(best["answer"], best["start"], best["end"], score))
    return answers


def found_spans(
    logits: Array,
    encoded: Encoded,
    contexts: Sequence[str],
    *,
    longest: int,
    count: int = 1,
    align: bool = True,
) -> Iterator[tuple[list[Found], float]]:
    """For each context its spans of at most `longest` tokens, the likeliest first, and the probability that there is
    none.

    `logits` (tokens, 2) score the first and the last token of an answer (Devlin et al. 2019, section 4.2); `encoded`
    holds questions beside their contexts, made with `spans` and `places`. With `align` spans are widened to whole
    words; those of one wording are one.
    """
    logits = logits.astype(np.float64)
    wanted = 2 * count + 10 if align else count
    for context, rows in zip(contexts, _rows_of(encoded), strict=True):
        spans, nothing = _spans(logits, encoded, rows, wanted, longest)
        found = _merged(spans, encoded, rows, context, align=align)
        yield sorted(found, key=lambda one: one["score"], reverse=True), nothing


def margin(score: float, nothing: float) -> float:
    """By how much the logarithm of one probability exceeds that of the other."""
    return float(np.log(max(score, LEAST)) - np.log(max(nothing, LEAST)))


def _spans(
    logits: Array, encoded: Encoded, rows: list[slice], count: int, longest: int
) -> tuple[list[tuple[float, int, int]], float]:
    """The likeliest spans of a context over all its windows, as (probability, first token, last token), and the
    probability that there is none: that of the first token, in the window where it is lowest.

    Probabilities are over the tokens of the context; one that several windows hold has the highest of its logits.
    """
    origins, places = encoded.arrays["origins"], encoded.arrays["places"]
    framed = origins[rows[0].start] == 2  # by a first special token, which stands for no answer
    nulls = [logits[row.start] for row in rows] if framed else [np.full(2, NEVER)]
    null = min(nulls, key=lambda pair: float(pair.sum()))
    own = [row.start + np.flatnonzero(origins[row] == 1) for row in rows]
    inside = np.concatenate(own)
    if not len(inside):
        return [], 1.0
    highest = np.full((places[inside].max() + 2, 2), NEVER)
    np.maximum.at(highest, places[inside], logits[inside])
    highest[-1] = null
    norms = np.logaddexp.reduce(highest, axis=0)
    found: dict[tuple[int, int], tuple[float, int, int]] = {}
    for tokens in own:
        begin, end = np.exp(logits[tokens] - norms).T
        # A row for each first token, a column for each length; -1 for a span that would end behind the last token.
        width = min(longest, len(tokens))
        ends = sliding_window_view(np.pad(end, (0, width - 1)), width)
        there = np.arange(len(tokens))[:, None] + np.arange(width) < len(tokens)
        flat = np.where(there, begin[:, None] * ends, -1.0).ravel()
        most = min(count, flat.size)
        best = np.flatnonzero(flat >= np.partition(flat, -most)[-most])  # to be sorted: few instead of all
        best = best[np.argsort(-flat[best], kind="stable")[:count]]
        for cell in best[flat[best] >= 0].tolist():
            at, more = divmod(cell, width)
            first, last = int(tokens[at]), int(tokens[at + more])
            span = (int(places[first]), int(places[last]))
            found[span] = max(found.get(span, (NEVER, 0, 0)), (float(flat[cell]), first, last))
    spans = sorted(found.values(), key=lambda span: -span[0])[:count]
    return spans, float(np.exp((null - norms).sum()))


def _merged(
    spans: list[tuple[float, int, int]], encoded: Encoded, rows: list[slice], context: str, *, align: bool
) -> list[Found]:
    """Spans as answers; those of one wording are one, with the sum of their probabilities."""
    starts, ends = _word_ends(encoded, rows) if align else (encoded.arrays["starts"], encoded.arrays["ends"])
    units = encoded.arrays["words"] if align else np.arange(len(starts))
    found = dict[str, Found]()
    for score, first, last in spans:
        start, end = int(starts[units[first]]), int(ends[units[last]])
        text = context[start:end]
        start, end = start + len(text) - len(text.lstrip()), end - len(text) + len(text.rstrip())
        text = context[start:end]
        if (known := found.get(text.lower())) is not None:
            known["score"] += score
        else:
            found[text.lower()] = {"score": score, "start": start, "end": end, "answer": text}
    return list(found.values())


def _word_ends(encoded: Encoded, rows: list[slice]) -> tuple[Array, Array]:
    """Where each word of a context begins and ends, whatever windows its pieces are in."""
    arrays = encoded.arrays
    inside = np.concatenate([row.start + np.flatnonzero(arrays["origins"][row] == 1) for row in rows])
    words = arrays["words"][inside]
    size = int(words.max(initial=-1)) + 1
    starts, ends = np.full(size, np.iinfo(np.int64).max), np.zeros(size, dtype=np.int64)
    np.minimum.at(starts, words, arrays["starts"][inside])
    np.maximum.at(ends, words, arrays["ends"][inside])
    return starts, ends


def _rows_of(encoded: Encoded) -> Iterator[list[slice]]:
    """The tokens of the windows of every text."""
    ends = np.cumsum(encoded.arrays["lengths"])
    rows = [
        slice(*row) for row in zip((ends - encoded.arrays["lengths"]).tolist(), ends.tolist(), strict=True)
    ]
    firsts = np.searchsorted(encoded.owners, np.arange(encoded.num_texts + 1)).tolist()
    for first, after in pairwise(firsts):
        yield rows[first:after]
