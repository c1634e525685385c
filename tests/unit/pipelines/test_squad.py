"""The measures of SQuAD, against its official script."""

from __future__ import annotations

import collections
import re
import string

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradatim.errors import ConfigError
from gradatim.pipelines.spans import Answer
from gradatim.pipelines.squad import best_threshold, normalise_answer, squad_scores, token_f1


def official_f1(gold: str, said: str) -> float:
    """compute_f1 of the evaluation script of SQuAD 2.0."""

    def tokens(text: str) -> list[str]:
        kept = "".join(c for c in text.lower() if c not in set(string.punctuation))
        return " ".join(re.sub(re.compile(r"\b(a|an|the)\b"), " ", kept).split()).split()

    golds, saids = tokens(gold), tokens(said)
    same = sum((collections.Counter(golds) & collections.Counter(saids)).values())
    if not golds or not saids:
        return int(golds == saids)
    if same == 0:
        return 0
    precision, recall = same / len(saids), same / len(golds)
    return (2 * precision * recall) / (precision + recall)


texts = st.lists(st.sampled_from(["the", "cat", "Cat.", "an", "sat", "--", "on", "U.S."]), max_size=5).map(
    " ".join
)


@given(texts, texts)
def test_token_f1_is_the_official_one(gold: str, said: str) -> None:
    assert token_f1(said, gold) == pytest.approx(official_f1(gold, said))


def test_scores_take_the_annotation_that_fits_best() -> None:
    found = squad_scores(["The cat!", "", "sat on it", "dog"], [["a dog", "cat"], [], ["sat"], []])
    assert found == pytest.approx({"exact_match": 2 / 4, "f1": (1 + 1 + 0.5 + 0) / 4})
    assert normalise_answer("The  U.S. an army") == "us army"
    with pytest.raises(ConfigError, match="cannot be compared"):
        squad_scores(["a"], [])


@given(
    st.lists(
        st.tuples(st.sampled_from([-np.inf, -1.5, 0.0, 0.25, 3.0]), st.booleans(), st.booleans()),
        min_size=1,
        max_size=9,
    )
)
def test_the_best_threshold_is_better_than_any_other(questions: list[tuple[float, bool, bool]]) -> None:
    answers = [Answer("one two" if np.isfinite(score) else "", 0, 7, score) for score, _, _ in questions]
    annotated = [(["one"] if partly else ["one two"]) if exists else [] for _, exists, partly in questions]

    def f1(threshold: float) -> float:
        said = [answer.text if answer.score > threshold else "" for answer in answers]
        return squad_scores(said, annotated)["f1"]

    threshold, best = best_threshold(answers, annotated)
    assert best == pytest.approx(f1(threshold))
    assert best >= max(f1(other) for other in (-2.0, -1.0, 0.1, 1.0, 4.0)) - 1e-9


def test_a_threshold_does_not_divide_what_differs_by_rounding() -> None:
    scores = [2.0, 1.00050001, 1.00049999, 0.0]  # on both sides of where three digits would be rounded
    answers = [Answer("one", 0, 3, score) for score in scores]
    threshold, _ = best_threshold(answers, [["one"], ["one"], [], []])
    assert min(abs(threshold - score) for score in scores) > 4e-4
