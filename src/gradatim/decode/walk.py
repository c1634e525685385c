"""One text for each row, token by token: the best each time, or one that is drawn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gradatim.decode.limits import NEVER, forced, limited
from gradatim.decode.search import Search
from gradatim.types import Array, Arrays, Stepper


@dataclass(frozen=True, slots=True)
class Step:
    """A token for each of the `rows` of a batch that have not ended, ln p of it, and where the model looked."""

    rows: Array
    ids: Array
    log_probs: Array
    attention: Array | None


def walk(
    stepper: Stepper,
    batch: Arrays,
    search: Search,
    *,
    prefix: Array | None = None,
    before: Array | None = None,
    numbers: Array | None = None,
) -> Iterator[Step]:
    """Steps until every row has written `search.end` or `max_length` tokens.

    `prefix` (rows, longest), -1 where a row's is over, is written first whatever the model says; `before`
    (rows, longest), each row at the right behind -1, are tokens that count as written where none may be repeated. Row i
    has the draws `numbers[i]` of the seed, i unless they are given.
    """
    vocabulary, first = stepper.vocab_size, 0 if before is None else before.shape[1]
    candidates, state = stepper.begin(batch, search.candidates(0, first, vocabulary))
    rows = np.arange(len(candidates.ids))
    named = rows if numbers is None else numbers
    draws = [np.random.default_rng([search.seed, int(number)]) for number in named if search.sample]
    history = np.full((len(rows), first + search.max_length), -1)
    if before is not None:
        history[:, :first] = before
    for written in range(search.max_length):
        if prefix is not None and written < prefix.shape[1]:
            candidates = forced(candidates, prefix[rows, written])
        read = history[:, : first + written]
        scores = limited(candidates.scores, candidates.ids, read, written, search)
        place = _drawn(scores, search, [draws[row] for row in rows]) if draws else scores.argmax(axis=1)
        at = np.arange(len(rows))
        ids = candidates.ids[at, place]
        yield Step(rows, ids, candidates.log_probs[at, place], candidates.attention)
        history[:, first + written] = ids
        going = np.flatnonzero(ids != search.end)
        if not len(going) or written + 1 == search.max_length:
            return
        if len(going) < len(rows):
            rows, history, ids, state = rows[going], history[going], ids[going], state.reorder(going)
        count = search.candidates(written + 1, first, vocabulary)
        candidates, state = stepper.advance(ids, state, count)


def _drawn(scores: Array, search: Search, draws: list[np.random.Generator]) -> Array:
    """The place of each row's draw among its candidates, (rows,)."""
    order = np.argsort(-scores, axis=1, kind="stable")
    ranked = np.take_along_axis(scores, order, axis=1) / search.temperature
    if search.top_k:
        ranked[:, search.top_k :] = NEVER
    if search.top_p < 1:
        likely = np.exp(ranked - ranked.max(axis=1, keepdims=True))
        before = np.cumsum(likely, axis=1) - likely
        ranked[before >= search.top_p * likely.sum(axis=1, keepdims=True)] = NEVER
    noise = np.stack([draw.gumbel(size=ranked.shape[1]) for draw in draws])  # its maximum is a draw
    best = (ranked + noise).argmax(axis=1)  # (Gumbel 1954)
    drawn: Array = order[np.arange(len(order)), best]
    return drawn
