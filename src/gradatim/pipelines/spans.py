"""Answers as spans of a context: the best span over all windows, and the measures of SQuAD."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gradatim.errors import ConfigError
from gradatim.types import Array, Encoded

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
ALIKE = 1e-3  # margins nearer than this may differ by rounding alone, from batch to batch


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, `context[start:end]`, empty where there is none.

    `score` is by how much the logits of the best span exceed those of having no answer.
    """

    text: str
    start: int
    end: int
    score: float


def best_answers(
    logits: Array,
    encoded: Encoded,
    contexts: Sequence[str],
    *,
    longest: int = 30,
    no_answer: bool = True,
    threshold: float = 0.0,
) -> list[Answer]:
    """The answer to each question: of all spans of at most `longest` tokens in all its windows the best.

    `logits` (tokens, 2) score the first and the last token of an answer (Devlin et al. 2019, section 4.2);
    `encoded` holds questions paired with their contexts, made with `spans=True`. The score of having no
    answer is that of the first token, in the window where it is lowest; where `no_answer` may be said, a
    span must exceed it by more than `threshold` (section 4.3).
    """
    arrays, lengths = encoded.arrays, encoded.arrays["lengths"]
    row_starts = np.cumsum(lengths) - lengths
    scores, widths = _best_from(
        logits, arrays["origins"] == 1, np.repeat(row_starts + lengths, lengths), longest
    )
    none = np.minimum.reduceat(logits[row_starts].sum(axis=1), _first_rows(encoded))
    owners = np.repeat(encoded.owners, lengths)
    # In order of question and score, the last token of each question begins its best span.
    order = np.lexsort((scores, owners))
    firsts = order[np.searchsorted(owners, np.arange(encoded.num_texts), side="right") - 1]
    answers = []
    for context, first, null in zip(contexts, firsts.tolist(), none.tolist(), strict=True):
        margin = float(scores[first]) - null
        if not np.isfinite(margin) or (no_answer and margin <= threshold):
            answers.append(Answer("", 0, 0, margin))
            continue
        start, end = int(arrays["starts"][first]), int(arrays["ends"][first + widths[first]])
        answers.append(Answer(context[start:end], start, end, margin))
    return answers


def _best_from(logits: Array, inside: Array, row_ends: Array, longest: int) -> tuple[Array, Array]:
    """The best span that begins at each token: its score, -inf where none can, and its length less one."""
    first, last = (np.where(inside, column, -np.inf) for column in logits.T.astype(np.float64))
    scores, widths = np.full(len(first), -np.inf), np.zeros(len(first), dtype=np.int64)
    tokens = np.arange(len(first))
    for width in range(longest):
        begin = tokens[tokens + width < row_ends]  # spans of this width that end in the row they begin in
        if not len(begin):
            break
        score = first[begin] + last[begin + width]
        better = score > scores[begin]
        scores[begin[better]], widths[begin[better]] = score[better], width
    return scores, widths


def _first_rows(encoded: Encoded) -> Array:
    rows: Array = np.searchsorted(encoded.owners, np.arange(encoded.num_texts))
    return rows


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

    `answers` are the best spans whether or not they were said, as `best_answers` gives them without
    `no_answer`. As SQuAD 2.0's official script finds its best threshold: on the questions it is given. Differs: it
    lies in a gap between margins, so that rounding never decides.
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
