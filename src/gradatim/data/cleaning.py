"""What does not belong in a parallel text: repeated pairs, copies, wrong lengths, wrong languages."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from gradatim.data.parallel import Parallel
from gradatim.errors import DataError
from gradatim.wording import count

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

FARTHEST, SPREADS = np.log(3.0), 8.0  # a ratio of lengths is wrong this far from the median, in logarithms
LETTERS = 30  # a shorter text says little of its language, and its length little of its pair
BUCKETS = 1 << 16  # of runs of three letters
SUMMARY = 4.0  # sides of which the typical one is so many times as long are no translations of each other
TOLD_APART = 0.98  # share of texts whose side is told by their letters, if the sides are two languages


def cleaned(pairs: Parallel) -> tuple[Parallel, list[str]]:
    """The pairs that are worth learning from, and notes on how many were left out and why.

    Lengths are compared with the median ratio of the text itself, languages with the letters of its two sides, learned
    from one half to judge the other; where the sides are one language (summaries) that is not asked. Raises DataError
    where nothing is left.
    """
    reasons = {
        "the pair has come before": _repeated(pairs),
        "both sides are the same": np.array(
            [one.strip() == other.strip() for one, other in zip(*pairs, strict=True)], dtype=bool
        ),
        "their lengths do not fit": _misfits(pairs),
        "a side is in the wrong language": _strangers(pairs),
    }
    kept = np.ones(len(pairs.sources), dtype=bool)
    notes = []
    for reason, found in reasons.items():
        if some := int((found & kept).sum()):
            notes.append(f"{count(some, 'pair')} left out: {reason}")
        kept &= ~found
    if not kept.any():
        raise DataError(f"no pair is left to learn from: {'; '.join(notes)}")
    return pairs.take(np.flatnonzero(kept).tolist()), notes


def _repeated(pairs: Parallel) -> Bools:
    seen: set[tuple[str, str]] = set()
    found = np.zeros(len(pairs.sources), dtype=bool)
    for row, pair in enumerate(zip(*pairs, strict=True)):
        found[row] = pair in seen
        seen.add(pair)
    return found


def _misfits(pairs: Parallel) -> Bools:
    source, target = (np.array([len(text) + 1 for text in side], dtype=float) for side in pairs)
    ratio = np.log(target / source)
    away = np.abs(ratio - np.median(ratio))
    found: Bools = (away > max(FARTHEST, SPREADS * float(np.median(away)))) & (
        np.maximum(source, target) > LETTERS
    )
    return found


def _strangers(pairs: Parallel) -> Bools:
    """Pairs of which a side reads more like the other one (naive Bayes over runs of three letters).

    A translation is about as long as its source: of summaries none are found, though letters tell their sides apart.
    """
    if is_summary(*pairs):
        return np.zeros(len(pairs.sources), dtype=bool)
    sides = [[_runs(text) for text in side] for side in pairs]
    half = np.arange(len(pairs.sources)) % 2 == 0
    likelier = np.zeros((2, len(half)))  # ln p of each text under its own side, less that under the other's
    for judged in (half, ~half):
        models = [
            _letters([runs for runs, skip in zip(side, judged, strict=True) if not skip]) for side in sides
        ]
        for row in np.flatnonzero(judged):
            for side in (0, 1):
                runs = sides[side][row]
                likelier[side, row] = (models[side][runs] - models[1 - side][runs]).sum()
    if (likelier > 0).mean() < TOLD_APART:
        return np.zeros(len(half), dtype=bool)
    long = np.array([[len(runs) > LETTERS for runs in side] for side in sides])
    found: Bools = ((likelier < 0) & long).any(axis=0)
    return found


def is_summary(sources: Sequence[str], targets: Sequence[str]) -> bool:
    """Whether targets are so much shorter than their sources that they cannot be translations."""
    ratios = [len(target) / max(1, len(source)) for source, target in zip(sources, targets, strict=True)]
    return bool(ratios) and float(np.median(ratios)) < 1 / SUMMARY


def _letters(texts: Sequence[npt.NDArray[np.int64]]) -> Floats:
    """ln p of every run, each counted once more than it was seen."""
    counts = np.ones(BUCKETS)
    if texts:
        counts += np.bincount(np.concatenate(texts), minlength=BUCKETS)
    found: Floats = np.log(counts / counts.sum())
    return found


def _runs(text: str) -> npt.NDArray[np.int64]:
    """Numbers of the runs of three letters of a text."""
    codes = np.frombuffer(f" {text.casefold()} ".encode("utf-32-le", "replace"), dtype=np.uint32).astype(
        np.int64
    )
    found: npt.NDArray[np.int64] = (codes[:-2] * 1_000_003 + codes[1:-1] * 10_007 + codes[2:]) % BUCKETS
    return found
