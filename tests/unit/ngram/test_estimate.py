"""Counts and modified Kneser-Ney estimates, checked by hand on a small corpus and by its own laws."""

import gzip
import os
from pathlib import Path

import numpy as np
import pytest

from gradatim.errors import ConfigError
from gradatim.ngram.counts import count_ngrams
from gradatim.ngram.estimate import estimate
from gradatim.ngram.smoothing import FALLBACK, counts_of_counts, modified

START, END, A, B, C, UNKNOWN = range(6)
# <s> a b a </s>   <s> a b </s>   <s> c a b </s>
CORPUS = np.array([START, A, B, A, END, START, A, B, END, START, C, A, B, END])


def discounts_of(counts: np.ndarray) -> np.ndarray:
    return modified(counts_of_counts(counts))


def grams(order: int) -> dict[tuple[int, ...], tuple[int, int]]:
    """Every n-gram of one order with its plain and its adjusted count."""
    levels = count_ngrams(CORPUS, vocabulary=6, start=START, order=3)

    def spell(n: int, number: int) -> tuple[int, ...]:
        level = levels[n - 1]
        head = spell(n - 1, int(level.prefixes[number])) if n > 1 else ()
        return (*head, int(level.words[number]))

    level = levels[order - 1]
    return {spell(order, i): (int(level.counts[i]), int(level.continuations[i])) for i in range(len(level))}


def test_counts_of_every_order() -> None:
    assert grams(1) == {
        (START,): (3, 0),
        (END,): (3, 2),  # after a and after b
        (A,): (4, 3),  # after <s>, b and c
        (B,): (3, 1),
        (C,): (1, 1),
        (UNKNOWN,): (0, 0),
    }
    bigrams = grams(2)
    assert bigrams[A, B] == (3, 2)  # after <s> and after c
    assert bigrams[START, A] == (2, 2)  # opens sentences: the plain count
    assert bigrams[B, END] == (2, 1)
    assert (END, START) not in bigrams
    trigrams = grams(3)
    assert trigrams[A, B, END] == (2, 2)  # the highest order keeps plain counts
    assert trigrams[START, A, B] == (2, 2)
    assert sum(plain for plain, _ in trigrams.values()) == 3 + 2 + 3


def test_prefixes_and_suffixes_number_the_level_below() -> None:
    levels = count_ngrams(CORPUS, vocabulary=6, start=START, order=3)
    words = [(int(p), int(w)) for p, w in zip(levels[1].prefixes, levels[1].words, strict=True)]
    for prefix, suffix, word in zip(levels[2].prefixes, levels[2].suffixes, levels[2].words, strict=True):
        assert words[suffix][1] == word
        assert words[prefix][1] == words[suffix][0]


def test_discounts_follow_chen_and_goodman() -> None:
    adjusted = np.repeat([1, 2, 3, 4, 9], [40, 20, 10, 5, 3])
    y = 40 / (40 + 2 * 20)
    expected = [0, 1 - 2 * y * 20 / 40, 2 - 3 * y * 10 / 20, 3 - 4 * y * 5 / 10]
    assert discounts_of(adjusted) == pytest.approx(expected)


def test_discounts_without_evidence_fall_back() -> None:
    assert discounts_of(np.array([7, 8, 9])).tolist() == [0, *FALLBACK]
    assert discounts_of(np.zeros(0, dtype=np.int64)).tolist() == [0, *FALLBACK]
    lopsided = discounts_of(np.repeat([1, 2, 3, 4], [1, 1, 50, 50]))  # the formula goes below 0 here
    assert (lopsided[1:] > 0).all()
    assert (lopsided[1:] <= [1, 2, 3]).all()


def test_a_bigram_probability_by_hand() -> None:
    levels = count_ngrams(CORPUS, vocabulary=6, start=START, order=2)
    d1, d2 = discounts_of(levels[0].continuations), discounts_of(levels[1].continuations)
    # Unigrams: 7 distinct bigrams; a has 3 of them and c 1; the base spreads over 5 words.
    gamma = sum(d1[min(n, 3)] for n in (2, 3, 1, 1)) / 7
    p_b = (1 - d1[1]) / 7 + gamma / 5
    # After a: b three times, </s> once.
    expected = (3 - d2[3]) / 4 + (d2[3] + d2[1]) / 4 * p_b
    table = estimate(levels, start=START)
    assert np.exp(table.log_probs(np.array([START, A, B]))[2]) == pytest.approx(expected)


def test_an_unseen_word_and_an_unseen_context_have_probability() -> None:
    table = estimate(count_ngrams(CORPUS, vocabulary=6, start=START, order=3), start=START)
    log_probs = table.log_probs(np.array([START, UNKNOWN, UNKNOWN, A, END]))
    assert log_probs[0] == 0
    assert np.isfinite(log_probs).all()
    assert (log_probs[1:] < 0).all()
    unigrams = estimate(count_ngrams(CORPUS, vocabulary=6, start=START, order=1), start=START)
    assert unigrams.order == 1
    assert np.isfinite(unigrams.perplexity(CORPUS))


def test_context_makes_the_training_text_less_perplexing() -> None:
    without, with_context = (
        estimate(count_ngrams(CORPUS, vocabulary=6, start=START, order=n), start=START).perplexity(CORPUS)
        for n in (1, 2)
    )
    assert with_context < without < 6


def test_a_base_distribution_rules_where_nothing_was_counted() -> None:
    base = np.array([0, 0.1, 0.2, 0.3, 0.15, 0.25])
    nothing = np.zeros(0, dtype=np.int64)
    table = estimate(count_ngrams(nothing, vocabulary=6, start=START, order=3), start=START, base=base)
    ids = np.array([START, A, UNKNOWN, END])
    assert np.exp(table.log_probs(ids)[1:]) == pytest.approx(base[ids[1:]])


def test_pruning_drops_entries_and_nothing_else() -> None:
    levels = count_ngrams(CORPUS, vocabulary=6, start=START, order=3)
    full, pruned = (estimate(levels, start=START, prune=prune) for prune in ((), (0, 1, 1)))
    assert [len(level.words) for level in pruned.levels] == [6, 3, 2]
    assert len(full.levels[2].words) == len(levels[2])


@pytest.mark.parametrize("prune", [(1,), (0, 2, 1)])
def test_pruning_that_would_orphan_ngrams_is_refused(prune: tuple[int, ...]) -> None:
    levels = count_ngrams(CORPUS, vocabulary=6, start=START, order=3)
    with pytest.raises(ConfigError):
        estimate(levels, start=START, prune=prune)


def test_ids_out_of_range_are_refused() -> None:
    with pytest.raises(ConfigError):
        count_ngrams(CORPUS, vocabulary=5 - 1, start=START, order=2)
    with pytest.raises(ConfigError):
        count_ngrams(CORPUS[1:], vocabulary=6, start=START, order=2)
    with pytest.raises(ConfigError):
        count_ngrams(CORPUS, vocabulary=6, start=START, order=0)


@pytest.mark.slow
@pytest.mark.skipif("GRADATIM_DATA" not in os.environ, reason="GRADATIM_DATA is not set")
def test_penn_treebank_perplexity_is_the_published_one() -> None:
    """KN5 141.2 on the test part (Mikolov & Zweig 2012, table 1)."""
    folder = Path(os.environ["GRADATIM_DATA"]) / "ptb"
    vocabulary = {"<s>": 0, "</s>": 1}

    def read(part: str) -> np.ndarray:
        with gzip.open(folder / f"ptb.{part}.txt.gz", "rt", encoding="utf-8") as lines:
            return np.array(
                [
                    vocabulary.setdefault(word, len(vocabulary))
                    for line in lines
                    for word in ("<s>", *line.split(), "</s>")
                ]
            )

    train, test = read("train"), read("test")
    assert len(vocabulary) == 10_001
    table = estimate(count_ngrams(train, vocabulary=len(vocabulary), start=0, order=5), start=0)
    assert table.perplexity(test) == pytest.approx(141.2, abs=0.1)
