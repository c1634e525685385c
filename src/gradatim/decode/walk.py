"""One text for each row, token by token: the best each time, or one that is drawn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gradatim.decode.limits import NEVER, forced, limited
from gradatim.decode.search import Search
from gradatim.types import Array, Arrays, Candidates, Stepper


@dataclass(frozen=True, slots=True)
class Step:
    """A token for each of the `rows` of a batch that have not ended, ln p of it, and where the model looked."""

    rows: Array
    ids: Array
    log_probs: Array
    attention: Array | None


def walk(stepper: Stepper, batch: Arrays, search: Search, prefix: Array | None = None) -> Iterator[Step]:
    """Steps until every row has written `search.end` or `max_length` tokens.

    `prefix` (rows, longest), -1 where a row's is over, is written first whatever the model says.
    """
    candidates, state = stepper.begin(batch, search.candidates(0, stepper.vocab_size))
    rows = np.arange(len(candidates.ids))
    draws = [np.random.default_rng([search.seed, row]) for row in range(len(rows))] if search.sample else []
    history = np.zeros((len(rows), search.max_length), dtype=np.int64)
    for written in range(search.max_length):
        if prefix is not None and written < prefix.shape[1]:
            candidates = forced(candidates, prefix[rows, written])
        place = _choose(
            candidates, history[:, :written], search, [draws[row] for row in rows] if draws else []
        )
        at = np.arange(len(rows))
        ids = candidates.ids[at, place]
        yield Step(rows, ids, candidates.log_probs[at, place], candidates.attention)
        history[:, written] = ids
        going = np.flatnonzero(ids != search.end)
        if not len(going) or written + 1 == search.max_length:
            return
        if len(going) < len(rows):
            rows, history, ids, state = rows[going], history[going], ids[going], state.reorder(going)
        count = search.candidates(written + 1, stepper.vocab_size)
        candidates, state = stepper.advance(ids, state, count)


def _choose(
    candidates: Candidates, history: Array, search: Search, draws: list[np.random.Generator]
) -> Array:
    """The place of each row's choice among its candidates, (rows,)."""
    scores = limited(candidates.scores, candidates.ids, history, search)
    if not draws:
        best: Array = scores.argmax(axis=1)
        return best
    scores = scores / search.temperature
    order = np.argsort(-scores, axis=1, kind="stable")
    ranked = np.take_along_axis(scores, order, axis=1)
    if search.top_k:
        ranked[:, search.top_k :] = NEVER
    if search.top_p < 1:
        likely = np.exp(ranked - ranked.max(axis=1, keepdims=True))
        before = np.cumsum(likely, axis=1) - likely
        ranked[before >= search.top_p * likely.sum(axis=1, keepdims=True)] = NEVER
    noise = np.stack(
        [draw.gumbel(size=ranked.shape[1]) for draw in draws]
    )  # its maximum is a draw (Gumbel 1954)
    drawn: Array = np.take_along_axis(order, (ranked + noise).argmax(axis=1)[:, None], axis=1)[:, 0]
    return drawn
