"""How much of what was wanted stands in what was written: BLEU, chrF, ROUGE, each as its own library counts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, get_args

import numpy as np

from gradatim.errors import MissingExtraError
from gradatim.types import Array

Measure = Literal["bleu", "chrf", "rouge"]
TOKENISED = "bleu_lower_tokenised"
ROUGE = ("rouge1", "rouge2", "rougeL")
MEASURES: tuple[Measure, ...] = get_args(Measure)


def overlap(
    written: Sequence[str], wanted: Sequence[str], measure: Measure, *, language: str | None = None
) -> dict[str, float]:
    """Percentages by name.

    bleu   sacreBLEU's (13a, Post 2018), and chrF; with a `language` ("de") also `bleu_lower_tokenised`, of texts in
           lower case and cut by the Moses tokenizer of that language, as papers on Multi30k count
    chrf   Popovic 2015
    rouge  1, 2 and L, F1 with stemming (Lin 2004)

    Raises MissingExtraError where the libraries are not installed.
    """
    if measure == "rouge":
        return {name: float(rows.mean()) for name, rows in _rouge_rows(written, wanted).items()}
    try:
        from sacrebleu import corpus_bleu, corpus_chrf
    except ImportError as error:
        raise MissingExtraError("BLEU", "train") from error
    found = {"chrf": corpus_chrf(list(written), [list(wanted)]).score}
    if measure == "bleu":
        found = {"bleu": corpus_bleu(list(written), [list(wanted)]).score, **found}
        if language is not None:
            sides = [_moses(texts, language) for texts in (written, wanted)]
            score = corpus_bleu(sides[0], [sides[1]], tokenize="none", force=True).score
            found[TOKENISED] = score
    return found


def signatures() -> dict[str, str]:
    """What sacreBLEU's numbers mean, in its own words."""
    from sacrebleu import BLEU, CHRF

    found = {}
    for name, metric in (("bleu", BLEU()), ("chrf", CHRF())):
        metric.corpus_score(["a"], [["a"]])
        found[name] = str(metric.get_signature())
    return found


def _moses(texts: Sequence[str], language: str) -> list[str]:
    try:
        from sacremoses import MosesPunctNormalizer, MosesTokenizer
    except ImportError as error:
        raise MissingExtraError("tokenised BLEU", "train") from error
    normalizer, tokenizer = MosesPunctNormalizer(lang=language), MosesTokenizer(lang=language)
    return [
        tokenizer.tokenize(normalizer.normalize(text.lower()), return_str=True, escape=False)
        for text in texts
    ]


def text_scores(written: Sequence[str], wanted: Sequence[str], metric: str) -> Array:
    """One row for each text: its "chrf", "rouge1", "rouge2" or "rougeL"; of "bleu" what it counts, (texts, 10): runs of
    one to four words that are right, those there are, and the lengths of what was written and wanted.
    """
    if metric in ROUGE:
        return _rouge_rows(written, wanted)[metric]
    from sacrebleu import sentence_bleu, sentence_chrf

    if metric == "chrf":
        return np.array([sentence_chrf(*pair).score for pair in _referred(written, wanted)])
    counted = [sentence_bleu(*pair) for pair in _referred(written, wanted)]
    return np.array([[*one.counts, *one.totals, one.sys_len, one.ref_len] for one in counted])


def _referred(written: Sequence[str], wanted: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    return ((have, [want]) for have, want in zip(written, wanted, strict=True))


def _rouge_rows(written: Sequence[str], wanted: Sequence[str]) -> dict[str, Array]:
    try:
        from rouge_score.rouge_scorer import RougeScorer
    except ImportError as error:
        raise MissingExtraError("ROUGE", "train") from error
    scorer = RougeScorer(ROUGE, use_stemmer=True)
    rows = [scorer.score(want, have) for have, want in zip(written, wanted, strict=True)]
    return {name: np.array([100 * row[name].fmeasure for row in rows]) for name in ROUGE}
