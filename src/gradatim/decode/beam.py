"""The best of several texts for each row, written side by side."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from gradatim.decode.limits import forced, limited
from gradatim.decode.search import Search, Written
from gradatim.types import Array, Arrays, Candidates, Stepper


@dataclass(slots=True)
class _Pool:
    """The best texts of one row that were found, at most as many as there are beams.

    The row has `source` tokens, and a history begins with `before` tokens that were not written.
    """

    search: Search
    source: int
    before: int
    texts: list[Written] = field(default_factory=list)

    def add(self, history: Array, log_prob: float, ended: bool, attention: Array | None) -> None:
        """A text with its end."""
        ids = history[self.before :]
        score = log_prob / len(ids) ** self.search.length_penalty
        if attention is not None:
            attention = attention[:, : self.source]
            covered = np.minimum(attention.sum(axis=0), 1)
            score += self.search.coverage * float(np.log(np.maximum(covered, 1e-9)).sum())
        written = len(ids) - ended
        kept = None if attention is None else attention[:written]
        self.texts.append(Written(ids[:written], log_prob, score, ended, kept))
        self.texts.sort(key=lambda text: -text.score)
        del self.texts[self.search.beams :]

    def over(self, best: float, written: int) -> bool:
        """Whether the unfinished texts, of which the best has this ln p, can be left as they are."""
        search = self.search
        if best == -np.inf:
            return True
        if len(self.texts) < search.beams:
            return False
        later = search.stop == "sure" and search.length_penalty > 0
        reachable = best / (search.max_length if later else written) ** search.length_penalty
        return search.stop == "first" or self.texts[-1].score >= reachable


@dataclass(frozen=True, slots=True)
class _Beams:
    """The unfinished texts of every row that has some: `rows`, and (rows, beams, ...) arrays.

    `sums` is ln p, -inf where there is no text; `looked` (rows, beams, written, source tokens).
    """

    rows: Array
    sums: Array
    history: Array
    looked: Array | None = None

    def take(self, keep: Array) -> _Beams:
        """Those of some of the rows."""
        looked = None if self.looked is None else self.looked[keep]
        return _Beams(self.rows[keep], self.sums[keep], self.history[keep], looked)

    def grown(self, parents: Array, ids: Array, sums: Array, seen: Array | None) -> _Beams:
        """Texts that go on from `parents` (rows, beams) by a token each; `seen` is the attention of this step."""
        row = np.arange(len(parents))[:, None]
        history = np.concatenate([self.history[row, parents], ids[:, :, None]], axis=2)
        if seen is None:
            return _Beams(self.rows, sums, history)
        looked = seen.reshape(*self.sums.shape, 1, -1)
        if self.looked is not None:
            looked = np.concatenate([self.looked, looked], axis=2)
        return _Beams(self.rows, sums, history, looked[row, parents])


def beam_search(
    stepper: Stepper,
    batch: Arrays,
    search: Search,
    *,
    prefix: Array | None = None,
    before: Array | None = None,
) -> list[list[Written]]:
    """The `search.best` texts of each row of the batch, the best first (Sutskever et al. 2014, section 3.2).

    `prefix` and `before` as for `walk`.
    """
    first = 0 if before is None else before.shape[1]
    candidates, state = stepper.begin(batch, search.candidates(0, first, stepper.vocab_size))
    pools = [_Pool(search, int(length), first) for length in batch["lengths"]]
    history = np.zeros((len(pools), 0), dtype=np.int64) if before is None else before
    beams = _Beams(np.arange(len(pools)), np.zeros((len(pools), 1)), history[:, None])
    for written in range(1, search.max_length + 1):
        width = beams.sums.shape[1]
        if prefix is not None and written <= prefix.shape[1]:
            candidates = forced(candidates, np.repeat(prefix[beams.rows, written - 1], width))
        beams, parents = _extended(beams, candidates, written - 1, pools)
        if written == search.max_length:
            break
        best = beams.sums.max(axis=1)
        going = [not pools[row].over(top, written) for row, top in zip(beams.rows, best, strict=True)]
        keep = np.flatnonzero(going)
        if not len(keep):
            return [pool.texts[: search.best] for pool in pools]
        state = state.reorder((np.arange(len(parents))[:, None] * width + parents)[keep].ravel())
        beams = beams.take(keep)
        count = search.candidates(written, first, stepper.vocab_size)
        candidates, state = stepper.advance(beams.history[:, :, -1].ravel(), state, count)
    for number, beam in np.argwhere(beams.sums > -np.inf):
        looked = None if beams.looked is None else beams.looked[number, beam]
        pools[beams.rows[number]].add(
            beams.history[number, beam], float(beams.sums[number, beam]), False, looked
        )
    return [pool.texts[: search.best] for pool in pools]


def _extended(
    beams: _Beams, candidates: Candidates, written: int, pools: list[_Pool]
) -> tuple[_Beams, Array]:
    """The best texts one token longer, and which of the beams each comes from; what has ended goes into the pools.

    Of the best 2 x beams continuations those that end count if they are among the first half; so many others are
    always left to go on from.
    """
    search = pools[0].search
    rows, width = beams.sums.shape
    count = candidates.ids.shape[1]
    history = beams.history.reshape(rows * width, -1)
    log_probs = limited(candidates.log_probs, candidates.ids, history, written, search)
    sums = (beams.sums[:, :, None] + log_probs.reshape(rows, width, count)).reshape(rows, -1)
    ranked = np.argsort(-sums, axis=1, kind="stable")[:, : 2 * search.beams]
    sums = np.take_along_axis(sums, ranked, axis=1)
    ids = np.take_along_axis(candidates.ids.reshape(rows, -1), ranked, axis=1)
    ends = ids == search.end
    grown = beams.grown(ranked // count, ids, sums, candidates.attention)
    for number, rank in np.argwhere(ends[:, : search.beams] & (sums[:, : search.beams] > -np.inf)):
        looked = None if grown.looked is None else grown.looked[number, rank]
        pools[beams.rows[number]].add(grown.history[number, rank], float(sums[number, rank]), True, looked)
    on = np.argsort(ends, axis=1, kind="stable")[:, : search.beams]  # first what has not ended, in its order
    row = np.arange(rows)[:, None]
    kept = np.where(ends[row, on], -np.inf, sums[row, on])
    looked = None if grown.looked is None else grown.looked[row, on]
    return _Beams(beams.rows, kept, grown.history[row, on], looked), (ranked // count)[row, on]
