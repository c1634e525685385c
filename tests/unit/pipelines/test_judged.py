"""Rows of questions as metrics ask them: measures against those of SQuAD, what is refused, intervals of means."""

from __future__ import annotations

import json

import numpy as np
import pytest

from gradatim.errors import DataError
from gradatim.ladder.intervals import of_mean
from gradatim.pipelines.judged import (
    asked_choices,
    choice_metrics,
    each_choice,
    span_metrics,
    span_scores,
    wanted_spans,
)
from gradatim.pipelines.squad import squad_scores
from gradatim.types import Examples

CONTEXTS = ["the cat sat", "a dog", "nobody came", "it rains"]


def spans(*places: list[tuple[int, int]]) -> Examples:
    targets = np.empty(len(places), dtype=object)
    targets[:] = [json.dumps(one) for one in places]
    return Examples(["q"] * len(places), CONTEXTS[: len(places)], targets)


def test_measures_are_those_of_squad() -> None:
    examples = spans([(4, 7), (0, 7)], [(2, 5)], [], [])
    answers = {"starts": np.array([4, 0, 0, 0]), "ends": np.array([11, 0, 0, 2])}
    found, said = span_metrics(examples, answers), ["cat sat", "", "", "it"]
    texts = [
        [context[a:b] for a, b in own] for context, own in zip(CONTEXTS, wanted_spans(examples), strict=True)
    ]
    official = squad_scores(said, texts)
    assert {name: found[name] for name in official} == pytest.approx(official)
    assert found["answered_f1"] == pytest.approx(squad_scores(said[:2], texts[:2])["f1"])
    assert found["no_answer"] == 0.5
    assert span_scores(examples, answers)["answerable"].tolist() == [True, True, False, False]
    assert span_metrics(spans([(4, 7)]), {"starts": np.array([4]), "ends": np.array([7])}) == {
        "f1": 1, "exact_match": 1
    }  # fmt: skip


def test_a_question_has_as_many_rows_as_choices() -> None:
    examples = Examples(["c", "d"], ["who ?\nhe\nshe", "\nends.\ngoes on."], np.array([1, 0]))
    texts, pairs, counts = each_choice(examples)
    assert texts == ["c", "c", "d", "d"]
    assert pairs == ["who ? he", "who ? she", "ends.", "goes on."]
    assert counts.tolist() == [2, 2]
    assert choice_metrics(examples, {"chosen": np.array([1, 1])}) == {"accuracy": 0.5}
    with pytest.raises(DataError, match="a line each"):
        asked_choices("who ?")


def test_the_interval_of_a_mean_holds_it() -> None:
    values = np.random.default_rng(0).random(200)
    found = of_mean(values, seed=1)
    assert found.low < found.value == values.mean() < found.high
    assert found == of_mean(values, seed=1)
    error = values.std() / np.sqrt(len(values))
    assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.15)
