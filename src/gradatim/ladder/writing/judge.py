"""How good written texts are, as shares of one: BLEU, chrF and ROUGE, with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gradatim.ladder.intervals import LEVELS, RESAMPLES
from gradatim.ladder.records import Interval
from gradatim.pipelines.overlap import Measure, overlap, text_scores
from gradatim.types import Array

MEASURES: dict[str, Measure] = {
    "bleu": "bleu", "chrf": "chrf", "rouge1": "rouge", "rouge2": "rouge", "rougeL": "rouge"
}  # fmt: skip
ORDER = 4  # of BLEU's longest runs of words


def score(metric: str, written: Sequence[str], wanted: Sequence[str]) -> float:
    """One of these metrics."""
    return overlap(written, wanted, MEASURES[metric])[metric] / 100


def scores(written: Sequence[str], wanted: Sequence[str]) -> dict[str, float]:
    """All of them."""
    found = {**overlap(written, wanted, "bleu"), **overlap(written, wanted, "rouge")}
    return {name: found[name] / 100 for name in MEASURES}


def interval(metric: str, written: Sequence[str], wanted: Sequence[str], *, seed: int = 0) -> Interval:
    """The metric with its bootstrap 95 % interval over the texts (Koehn 2004)."""
    value, rows = score(metric, written, wanted), text_scores(written, wanted, metric)
    at = np.random.default_rng(seed).integers(0, len(rows), (RESAMPLES, len(rows)))
    if metric == "bleu":
        draws = bleu(np.stack([rows[draw].sum(axis=0) for draw in at]))
    else:  # means of the texts' own, of which chrF's corpus score is not one: shifted to it
        draws = value + (rows[at].mean(axis=1) - rows.mean()) / 100
    low, high = np.percentile(draws, LEVELS)
    return Interval(value, min(float(low), value), max(float(high), value))


def bleu(counts: Array) -> Array:
    """BLEU (rows,) of summed counts: of runs that are right, of runs in all, by length, and both lengths of texts
    (Papineni et al. 2002, section 2.3). One that has no run of a length has half of one.
    """
    right, total = np.maximum(counts[:, :ORDER], 0.5), np.maximum(counts[:, ORDER : 2 * ORDER], 1)
    written, wanted = np.maximum(counts[:, -2], 1), counts[:, -1]
    brevity = np.minimum(0, 1 - wanted / written)
    found: Array = np.exp(brevity + np.log(right / total).mean(axis=1))
    return found


def text_quality(written: Sequence[str], wanted: Sequence[str]) -> Array:
    """chrF of each text by itself, (texts,), which says something of short ones too."""
    return text_scores(written, wanted, "chrf") / 100
