"""What may not come next: repeated runs, banned tokens, too early an end, anything but a forced prefix."""

from __future__ import annotations

import numpy as np

from gradatim.decode.search import Search
from gradatim.types import Array, Candidates

NEVER = np.float32(-np.inf)


def limited(scores: Array, ids: Array, history: Array, written: int, search: Search) -> Array:
    """Scores (rows, count) of candidates after these tokens (rows, read), -inf where one is ruled out.

    Of `history`, -1 where a row has none, the last `written` tokens were written. A row's only candidate was `forced`,
    and stays.
    """
    read = history.shape[1]
    given, only = scores, np.isfinite(scores).sum(axis=1) == 1
    scores = scores.copy()
    if search.repetition != 1 and read:
        seen = (ids[:, :, None] == history[:, None, :]).any(axis=2)
        weaker = np.where(scores < 0, scores * search.repetition, scores / search.repetition)
        scores = np.where(seen, weaker, scores)
    if search.no_repeat and read >= search.no_repeat:
        scores[repeats(ids, history, search.no_repeat)] = NEVER
    if search.banned:
        scores[np.isin(ids, search.banned)] = NEVER
    if written + 1 < search.min_length:
        scores[ids == search.end] = NEVER
    scores[only] = given[only]
    return scores


def repeats(ids: Array, history: Array, run: int) -> Array:
    """Which candidates (rows, count) would end a run of tokens that a row has had before."""
    starts = np.lib.stride_tricks.sliding_window_view(history, run, axis=1)  # (rows, runs, run)
    last = history[:, history.shape[1] - run + 1 :]
    alike = ((starts[:, :, : run - 1] == last[:, None, :]) & (last >= 0)[:, None, :]).all(axis=2)
    found: Array = ((ids[:, :, None] == starts[:, None, :, -1]) & alike[:, None, :]).any(axis=2)
    return found


def forced(candidates: Candidates, tokens: Array) -> Candidates:
    """Rows whose token (rows,) is not negative have it as their only candidate, at no cost."""
    given = tokens >= 0
    if not given.any():
        return candidates
    ids, scores, norm = candidates.ids.copy(), candidates.scores.copy(), candidates.norm.copy()
    ids[given, 0] = tokens[given]
    scores[given] = NEVER
    scores[given, 0] = norm[given] = 0
    return Candidates(ids, scores, norm, candidates.attention)
