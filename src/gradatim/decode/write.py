"""Texts for a batch, as `Search` asks for them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gradatim.decode.beam import beam_search
from gradatim.decode.search import Search, Written
from gradatim.decode.walk import Step, walk
from gradatim.errors import ConfigError
from gradatim.types import Array, Arrays, Stepper


def write(
    stepper: Stepper,
    batch: Arrays,
    search: Search,
    *,
    prefix: Array | None = None,
    before: Array | None = None,
    numbers: Array | None = None,
) -> list[list[Written]]:
    """The `search.best` texts of each row, the best first.

    `prefix` (rows, longest), -1 where a row's is over, is what each text must begin with; it costs nothing. `before`
    (rows, longest), each row at the right behind -1, are tokens that count as written where none may be repeated:
    a prompt, where a model goes on from one. `numbers` (rows,) name the draws of each, as for `walk`.
    """
    if search.beams > 1:
        return beam_search(stepper, batch, search, prefix=prefix, before=before)
    steps = list(walk(stepper, batch, search, prefix=prefix, before=before, numbers=numbers))
    return [[_joined(steps, row, int(source), search)] for row, source in enumerate(batch["lengths"])]


def spoken(
    stepper: Stepper,
    batch: Arrays,
    search: Search,
    *,
    prefix: Array | None = None,
    before: Array | None = None,
    number: int = 0,
) -> Iterator[Step]:
    """The steps of a batch of one row as they are taken, without the end; its draws are those of this `number`.

    Raises ConfigError for beams: which of them is the best shows at the end.
    """
    if search.beams > 1:
        raise ConfigError(
            f"a text of {search.beams} beams is known at its end only: to see it grow, search with 1"
        )
    steps = walk(stepper, batch, search, prefix=prefix, before=before, numbers=np.array([number]))
    return (step for step in steps if step.ids[0] != search.end)


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
