"""Texts for a batch, as `Search` asks for them."""

from __future__ import annotations

import numpy as np

from gradatim.decode.beam import beam_search
from gradatim.decode.search import Search, Written
from gradatim.decode.walk import Step, walk
from gradatim.types import Array, Arrays, Stepper


def write(
    stepper: Stepper,
    batch: Arrays,
    search: Search,
    *,
    prefix: Array | None = None,
    before: Array | None = None,
) -> list[list[Written]]:
    """The `search.best` texts of each row, the best first.

    `prefix` (rows, longest), -1 where a row's is over, is what each text must begin with; it costs nothing. `before`
    (rows, longest), each row at the right behind -1, are tokens that count as written where none may be repeated:
    a prompt, where a model goes on from one.
    """
    if search.beams > 1:
        return beam_search(stepper, batch, search, prefix=prefix, before=before)
    steps = list(walk(stepper, batch, search, prefix=prefix, before=before))
    return [[_joined(steps, row, int(source), search)] for row, source in enumerate(batch["lengths"])]


def _joined(steps: list[Step], row: int, source: int, search: Search) -> Written:
    """The text of one row out of the steps of all."""
    found = [(step, int(np.searchsorted(step.rows, row))) for step in steps if row in step.rows]
    ids = np.array([step.ids[at] for step, at in found], dtype=np.int64)
    log_prob = float(sum(step.log_probs[at] for step, at in found))
    ended = bool(ids[-1] == search.end)
    looked = [step.attention[at, :source] for step, at in found if step.attention is not None]
    attention = np.stack(looked)[: len(ids) - ended] if looked else None
    return Written(
        ids[: len(ids) - ended], log_prob, log_prob / len(ids) ** search.length_penalty, ended, attention
    )
