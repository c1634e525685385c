"""Counts of entities are those of seqeval, summed and drawn anew."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradatim.ladder.tagging.judge import interval
from gradatim.pipelines.matches import by_kind, measure, said_tags, scores, wanted_tags
from gradatim.train.kinds.tagging import scores as reference
from gradatim.types import Examples, Task

TAGS = ("O", "B-A", "I-A", "B-B", "I-B")
TASK = Task(TAGS, kind="tagging")
Rows = list[list[tuple[str, str]]]
rows = st.lists(
    st.lists(st.tuples(st.sampled_from(TAGS), st.sampled_from(TAGS)), min_size=1, max_size=6),
    min_size=1,
    max_size=5,
)


def sides(pairs: Rows) -> tuple[list[list[str]], list[list[str]]]:
    return [[one for one, _ in row] for row in pairs], [[other for _, other in row] for row in pairs]


@given(rows)
def test_figures_are_those_of_seqeval(pairs: Rows) -> None:
    said, wanted = sides(pairs)
    pytest.importorskip("seqeval")
    assert scores(TASK, said, wanted) == pytest.approx(
        {**dict.fromkeys(("f1", "precision", "recall"), 0.0), **reference(wanted, said)}
    )


@given(rows)
def test_kinds_add_up(pairs: Rows) -> None:
    said, wanted = sides(pairs)
    kinds = by_kind(said, wanted, entities=True)
    summed = sum(kinds.values(), np.zeros(5, dtype=np.int64))[:3]
    whole = scores(TASK, said, wanted)
    assert float(measure("f1", np.array([*summed, 0, 0]))) == pytest.approx(whole["f1"])


def test_tags_of_words_are_counted_alike() -> None:
    kinds = by_kind([["N", "V", "N"]], [["N", "N", "V"]], entities=False)
    assert {name: counts[:3].tolist() for name, counts in kinds.items()} == {"N": [1, 2, 2], "V": [0, 1, 1]}


def test_an_interval_holds_the_value_and_narrows_with_more_sentences() -> None:
    rng = np.random.default_rng(0)

    def judged(count: int) -> tuple[float, float, float]:
        texts = np.array([" ".join(rng.choice(TAGS[:2], 4)) for _ in range(count)], dtype=object)
        examples = Examples(["a b c d"] * count, None, texts)
        sizes = np.full(count, 4)
        gold = np.array([TAGS.index(tag) for row in wanted_tags(examples) for tag in row])
        tags = np.where(rng.random(len(gold)) < 0.8, gold, 0)
        found = interval("f1", TASK, examples, {"tags": tags, "sizes": sizes}, seed=1)
        assert found.low < found.value < found.high
        assert found.value == pytest.approx(
            scores(TASK, said_tags(TASK, tags, sizes), wanted_tags(examples))["f1"]
        )
        assert found == interval("f1", TASK, examples, {"tags": tags, "sizes": sizes}, seed=1)
        return found.value, found.low, found.high

    few, many = judged(20), judged(500)
    assert many[2] - many[1] < few[2] - few[1]
