"""Each method by hand on a corpus of three sentences."""

import numpy as np
import pytest

from gradatim.errors import ConfigError
from gradatim.ngram.counts import count_ngrams
from gradatim.ngram.estimate import estimate
from gradatim.ngram.smoothing import FALLBACK, Smoothing, good_turing, named
from gradatim.ngram.table import LOG_ZERO, NgramTable
from gradatim.text.vocabulary import END, START, UNKNOWN

A, B, C = 3, 4, 5
CORPUS = np.array([START, A, B, A, END, START, A, B, END, START, C, A, B, END])
WORDS = 5  # that can be predicted: <unk>, </s>, a, b, c


def model(order: int, smoothing: Smoothing, prune: tuple[int, ...] = ()) -> NgramTable:
    levels = count_ngrams(CORPUS, vocabulary=6, start=START, order=order)
    return estimate(levels, start=START, smoothing=smoothing, prune=prune)


def p(table: NgramTable, *ids: int) -> float:
    return float(np.exp(table.log_probs(np.array(ids))[-1]))


def test_maximum_likelihood_is_the_relative_frequency() -> None:
    table = model(2, named("mle"))
    assert p(table, START, A) == pytest.approx(2 / 3)
    assert p(table, START, A, B) == pytest.approx(3 / 4)
    assert table.log_probs(np.array([START, B]))[-1] <= LOG_ZERO
    assert p(table, START, UNKNOWN, A) == pytest.approx(1 / WORDS)  # after what was never seen, all are alike


@pytest.mark.parametrize("k", [1.0, 0.1])
def test_add_k(k: float) -> None:
    table = model(3, named("add-k", add=k))
    assert p(table, START, A, B, END) == pytest.approx((2 + k) / (3 + k * WORDS))  # after a b
    assert p(table, START, A, B, C) == pytest.approx(k / (3 + k * WORDS))
    # Sentences begin in a context of one.
    assert p(table, START, C) == pytest.approx((1 + k) / (3 + k * WORDS))
    assert p(table, START, B) == pytest.approx(k / (3 + k * WORDS))
    assert p(table, START, B, A) == pytest.approx(1 / WORDS)  # the context <s> b was never seen


def test_stupid_backoff_multiplies_by_its_weight() -> None:
    table = model(3, named("stupid"))
    assert p(table, START, A, B, END) == pytest.approx(2 / 3)
    assert p(table, START, A, B, C) == pytest.approx(0.4 * 0.4 * 1 / 11)  # c is one of 11 tokens, after no b
    assert p(table, START, B, A) == pytest.approx(1 / 3)  # <s> b is no context, so it costs nothing
    assert not named("stupid").sums_to_one


def test_katz_takes_by_good_turing_and_backs_off() -> None:
    counts = np.array([0, 100.0, 40, 20, 12, 8, 5, 3])
    beyond = 6 * 5 / 100
    expected = [
        r - r * ((r + 1) * counts[r + 1] / (r * counts[r]) - beyond) / (1 - beyond) for r in range(1, 6)
    ]
    assert good_turing(counts)[1:6] == pytest.approx(expected)
    assert good_turing(counts)[[0, 6]].tolist() == [0, 0]
    assert good_turing(np.zeros(8))[1:6].tolist() == [FALLBACK[0]] * 5
    table = model(2, named("katz"))
    seen = {word: p(table, START, A, word) for word in (B, END)}
    assert seen[B] == pytest.approx((3 - 0.5) / 4)  # counts of counts too few to tell: half a count
    left = 1 - sum(seen.values())
    others = sum(p(table, word) for word in (UNKNOWN, A, C))
    assert p(table, START, A, C) == pytest.approx(left * p(table, C) / others)


def test_a_context_that_gave_nothing_away_leaves_room_for_the_unseen() -> None:
    ids = np.array([*[START, A, B, END] * 9, START, C, END])
    levels = count_ngrams(ids, vocabulary=6, start=START, order=2)
    table = estimate(levels, start=START, smoothing=named("katz"))
    assert p(table, START, A, B) == pytest.approx(9 / 10)
    assert 0 < p(table, START, A, C) < 0.1


def test_unknown_names_and_settings_are_refused() -> None:
    with pytest.raises(ConfigError, match="did you mean 'kneser-ney'"):
        named("kneser-nay")
    with pytest.raises(ConfigError, match="adds nothing"):
        named("katz", add=1)
    with pytest.raises(ConfigError, match="at least 0"):
        named("add-k", add=-1)
