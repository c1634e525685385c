"""How much of what was wanted stands in what was written: BLEU, chrF, ROUGE, each as its own library counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

from gradatim.errors import MissingExtraError

Measure = Literal["bleu", "chrf", "rouge"]
TOKENISED = "bleu_lower_tokenised"
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
        return _rouge(written, wanted)
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


def _rouge(written: Sequence[str], wanted: Sequence[str]) -> dict[str, float]:
    try:
        from rouge_score.rouge_scorer import RougeScorer
    except ImportError as error:
        raise MissingExtraError("ROUGE", "train") from error
    names = ("rouge1", "rouge2", "rougeL")
    scorer = RougeScorer(names, use_stemmer=True)
    rows = [scorer.score(want, have) for have, want in zip(written, wanted, strict=True)]
    return {name: 100 * sum(row[name].fmeasure for row in rows) / max(1, len(rows)) for name in names}
