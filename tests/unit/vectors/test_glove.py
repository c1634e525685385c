"""GloVe: counts by hand, the gradient of its loss, and vectors that know which words are alike."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gradatim.errors import ConfigError, DataError
from gradatim.vectors import glove
from gradatim.vectors.glove import Glove, count_pairs


def by_hand(ids: list[int], rows: list[int], window: int) -> dict[tuple[int, int], float]:
    found: Counter[tuple[int, int]] = Counter()
    for i, word in enumerate(ids):
        for j in range(i + 1, min(i + window + 1, len(ids))):
            if rows[i] == rows[j]:
                both = {(word, ids[j]), (ids[j], word)}  # GloVe's code adds to the cells of both
                found[min(both)] += 2 / len(both) / (j - i)
    return dict(found)


@given(
    st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=60),
    st.integers(1, 6),
    st.integers(2, 9),
)
def test_pairs_are_counted_by_distance_within_sentences(
    text: list[tuple[int, bool]], window: int, block: int
) -> None:
    ids, rows = [word for word, _ in text], np.cumsum([ends for _, ends in text]).tolist()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(glove, "TOKENS", block)
        patch.setattr(glove, "HELD", block)
        pairs = count_pairs(np.array(ids), np.array(rows), 6, window)
    found = {(i, j): x for i, j, x in zip(*(column.tolist() for column in pairs), strict=True)}
    wanted = by_hand(ids, rows, window)
    assert found.keys() == wanted.keys()
    assert all(found[pair] == pytest.approx(wanted[pair], rel=1e-5) for pair in wanted)


def test_a_word_beside_itself_is_counted_from_both_sides() -> None:
    pairs = count_pairs(np.array([3, 3, 1, 3]), np.zeros(4, dtype=np.int64), 4, 3)
    found = {(i, j): x for i, j, x in zip(*(column.tolist() for column in pairs), strict=True)}
    assert found == {(3, 3): pytest.approx(2 + 2 / 3 + 2 / 2), (1, 3): pytest.approx(1 / 2 + 1 + 1)}


def test_a_step_follows_the_gradient_of_the_loss() -> None:
    rng = np.random.default_rng(0)
    ids = rng.integers(0, 7, 60)
    settings = Glove(width=4, window=3, most=2.0, rate=1e-3, epochs=1)
    pairs = count_pairs(ids, np.zeros(60, dtype=np.int64), 7, 3)
    run = glove._Run(settings, pairs, 7, rng)
    before = torch.tensor(run.table, requires_grad=True)
    w, b, c, d = before[:, :4], before[:, 4], before[:, 5:9], before[:, 9]
    loss = torch.zeros(())
    for i, j, x in zip(*(column.tolist() for column in pairs), strict=True):
        weight = min(1.0, x / 2) ** 0.75
        for one, other in {(i, j), (j, i)}:  # a word beside itself once
            loss = loss + weight * (w[one] @ c[other] + b[one] + d[other] - np.log(x)) ** 2 / 2
    loss.backward()
    run.update(0)
    moved = (before.detach().numpy() - run.table) / settings.rate
    np.testing.assert_allclose(moved, before.grad.numpy(), rtol=2e-3, atol=2e-4)


def test_words_of_the_same_company_become_alike() -> None:
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 2, 4000)  # words below 5 are seen with each other, and those from 5 on
    others = np.where(rng.random(4000) < 0.05, 1 - groups, groups)
    sentences = [
        [5 * one + rng.integers(5), 5 * two + rng.integers(5)]
        for one, two in zip(groups, others, strict=True)
    ]
    ids, rows = np.array(sentences).ravel(), np.repeat(np.arange(4000), 2)
    learn = Glove(width=8, window=2, most=10.0, epochs=40).learn
    vectors = learn(ids, rows, np.bincount(ids))
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = unit @ unit.T
    assert cosines[:5, :5].mean() > cosines[:5, 5:].mean() + 0.3
    np.testing.assert_array_equal(vectors, learn(ids, rows, np.bincount(ids)))
    assert np.isfinite(learn(ids, rows, np.bincount(ids), threads=2)).all()


def test_what_cannot_be_learned_from_is_refused() -> None:
    with pytest.raises(DataError, match="near each other"):
        Glove().learn(np.arange(3), np.arange(3), np.ones(3, dtype=np.int64))
    with pytest.raises(ConfigError, match="width"):
        Glove(width=0)
    with pytest.raises(ConfigError, match="above 0"):
        Glove(rate=0)
