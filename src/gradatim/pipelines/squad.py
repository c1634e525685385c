"""The measures of SQuAD: exact match and F1 of words, and the threshold for saying nothing."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence

import numpy as np

from gradatim.errors import ConfigError
from gradatim.pipelines.spans import Answer

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
ALIKE = 1e-3  # margins nearer than this may differ by rounding alone, from batch to batch


def squad_scores(answers: Sequence[str], annotated: Sequence[Sequence[str]]) -> dict[str, float]:
    """Exact match and token F1, shares in [0, 1], as SQuAD's official script has them (Rajpurkar et al. 2018).

    Each answer counts as against the annotation that it fits best; no annotation, or an empty one, means
    that an empty answer is right. Raises ConfigError where there is nothing to compare.
    """
    if not answers or len(answers) != len(annotated):
        raise ConfigError(
            f"{len(answers)} answers cannot be compared with {len(annotated)} sets of annotations"
        )
    pairs = list(zip(answers, annotated, strict=True))
    exact, f1 = (sum(measure(*pair) for pair in pairs) / len(pairs) for measure in (exact_match, answer_f1))
    return {"exact_match": exact, "f1": f1}


def best_threshold(answers: Sequence[Answer], annotated: Sequence[Sequence[str]]) -> tuple[float, float]:
    """By how much a span must exceed having no answer for the highest mean token F1, and that F1.

    `answers` are the best spans whether or not they would be said (`spans.best_answers`). As SQuAD 2.0's official
    script finds its best threshold: on the questions it is given. Differs: it lies in a gap between margins, so that
    rounding never decides.
    """
    margins = np.maximum([answer.score for answer in answers], -1e9)  # where no span is possible, -inf
    spans = np.array(
        [answer_f1(answer.text, golds) for answer, golds in zip(answers, annotated, strict=True)]
    )
    nothing = np.array([answer_f1("", golds) for golds in annotated])
    order = np.argsort(-margins, kind="stable")
    # Said are the spans of the k largest margins: for every k, what they are worth beside saying nothing.
    worth = nothing.sum() + np.concatenate([[0.0], np.cumsum((spans - nothing)[order])])
    falling = margins[order]
    borders = np.concatenate([falling[:1] + 1, (falling[:-1] + falling[1:]) / 2, falling[-1:] - 1])
    apart = np.concatenate([[True], np.diff(falling) < -ALIKE, [True]])  # those alike are said together
    best = int(np.flatnonzero(apart)[worth[apart].argmax()])
    return float(borders[best]), float(worth[best] / len(answers))


def exact_match(answer: str, golds: Sequence[str]) -> float:
    """Whether it is one of the annotations, as they are compared; where there is none, whether it is empty."""
    return float(any(normalise_answer(answer) == normalise_answer(gold) for gold in _wanted(golds)))


def answer_f1(answer: str, golds: Sequence[str]) -> float:
    """Against the annotation that it fits best; an empty answer is right where there is none."""
    return max(token_f1(answer, gold) for gold in _wanted(golds))


def _wanted(golds: Sequence[str]) -> list[str]:
    return [gold for gold in golds if normalise_answer(gold)] or [""]


def token_f1(answer: str, gold: str) -> float:
    """F1 of an answer's words against an annotation's; of an empty one 1 where both are, else 0."""
    said, wanted = normalise_answer(answer).split(), normalise_answer(gold).split()
    if not said or not wanted:
        return float(said == wanted)
    return 2 * (Counter(said) & Counter(wanted)).total() / (len(said) + len(wanted))


def normalise_answer(text: str) -> str:
    """Lower case, without punctuation, articles and surplus white space."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())
