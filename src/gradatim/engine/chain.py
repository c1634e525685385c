"""A chain of tags over the words of each row: how probable each tag is, and the best sequence.

Rows lie end to end; `scores` (words, tags) say how well a tag fits a word, `transitions` (tags + 1, tags) how well it
follows another, the last line what begins a row (Lafferty et al. 2001, linear-chain conditional random fields).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gradatim.types import Array


def log_marginals(scores: Array, lengths: Array, transitions: Array) -> Array:
    """ln p of each tag of each word, given all words of its row, (words, tags): forwards and backwards."""
    between, begin = np.exp(transitions[:-1]), transitions[-1]
    forward, backward = scores.copy(), np.zeros_like(scores)
    for step, (at, before) in enumerate(_steps(lengths)):
        forward[at] += begin if step == 0 else _carried(forward[before], between)
    for at, before in [*_steps(lengths)][:0:-1]:
        backward[before] = _carried(backward[at] + scores[at], between.T)
    both = forward + backward
    both -= both.max(axis=1, keepdims=True, initial=-np.inf)
    result: Array = both - np.log(np.exp(both).sum(axis=1, keepdims=True))
    return result


def best_tags(scores: Array, lengths: Array, transitions: Array) -> Array:
    """The tags (words,) of the sequence of each row whose scores and transitions sum to most (Viterbi 1967)."""
    best, came_from = scores.astype(np.float64), np.zeros(scores.shape, dtype=np.int64)
    steps = [*_steps(lengths)]
    for step, (at, before) in enumerate(steps):
        if step == 0:
            best[at] += transitions[-1]
            continue
        ways = best[before][:, :, None] + transitions[:-1]
        came_from[at] = ways.argmax(axis=1)
        best[at] += ways.max(axis=1)
    tags = best.argmax(axis=1)  # right for the last word of every row
    for at, before in steps[:0:-1]:
        tags[before] = came_from[at, tags[at]]
    result: Array = tags
    return result


def _carried(messages: Array, factors: Array) -> Array:
    """ln of the sums of exp(messages) times factors."""
    most = messages.max(axis=1, keepdims=True)
    summed: Array = most + np.log(np.exp(messages - most) @ factors)
    return summed


def _steps(lengths: Array) -> Iterator[tuple[Array, Array]]:
    """Place by place, the words that stand there in rows that are so long, and those before them."""
    starts = np.cumsum(lengths) - lengths
    order = np.argsort(-lengths, kind="stable")
    counts = np.searchsorted(-lengths[order], -np.arange(int(lengths.max(initial=0))), side="left")
    for place, count in enumerate(counts.tolist()):
        at = starts[order[:count]] + place
        yield at, at - 1
