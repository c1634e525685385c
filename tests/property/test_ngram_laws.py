"""Laws of every n-gram model: probabilities sum to 1, and the session agrees with the table."""

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gradatim.engine.ngram import NgramSession
from gradatim.ngram.classes import estimate_classes
from gradatim.ngram.counts import count_ngrams
from gradatim.ngram.estimate import estimate
from gradatim.ngram.smoothing import METHODS
from gradatim.text.hashing import salt
from gradatim.text.space import IN_MEMORY, Space

START, END, WORDS = 0, 1, 7  # word 6 never occurs in training
SENTENCES = st.lists(st.lists(st.integers(2, 5), max_size=6), min_size=1, max_size=12)
CONTEXTS = st.lists(st.integers(2, 6), max_size=4)


def framed(sentences: list[list[int]]) -> np.ndarray:
    return np.array([word for sentence in sentences for word in (START, *sentence, END)], dtype=np.int64)


@settings(deadline=None, max_examples=60)
@given(
    SENTENCES,
    CONTEXTS,
    st.integers(1, 4),
    st.sampled_from([(), (0, 1), (0, 0, 2)]),
    st.sampled_from([name for name, method in METHODS.items() if method.sums_to_one]),
)
def test_probabilities_sum_to_one_after_any_context(
    sentences: list[list[int]], context: list[int], order: int, prune: tuple[int, ...], method: str
) -> None:
    levels = count_ngrams(framed(sentences), vocabulary=WORDS, start=START, order=order)
    table = estimate(levels, start=START, smoothing=METHODS[method], prune=prune[:order])
    total = sum(np.exp(table.log_probs(np.array([START, *context, word]))[-1]) for word in range(END, WORDS))
    assert abs(total - 1) < 1e-9


@settings(deadline=None, max_examples=40)
@given(SENTENCES, st.integers(1, 4), st.integers(1, 9), st.sampled_from(list(METHODS)))
def test_blocks_on_disk_change_nothing(
    sentences: list[list[int]], order: int, block: int, method: str
) -> None:
    ids = framed(sentences)
    levels = count_ngrams(ids, vocabulary=WORDS, start=START, order=order)
    with tempfile.TemporaryDirectory() as folder:
        space = Space(Path(folder), block)
        parts = count_ngrams(ids, vocabulary=WORDS, start=START, order=order, space=space)
        for whole, part in zip(levels, parts, strict=True):
            for name in ("prefixes", "words", "suffixes", "counts", "continuations", "opening"):
                assert (getattr(whole, name) == getattr(part, name)).all()
        one, other = (
            estimate(counted, start=START, smoothing=METHODS[method], prune=(0, 0, 1)[:order], space=room)
            for counted, room in ((levels, IN_MEMORY), (parts, space))
        )
        for whole, part in zip(one.levels, other.levels, strict=True):
            assert (whole.words == part.words).all()
            np.testing.assert_allclose(whole.log_probs, part.log_probs, atol=1e-9)
            np.testing.assert_allclose(whole.backoffs, part.backoffs, atol=1e-9)


@settings(deadline=None, max_examples=60)
@given(SENTENCES, SENTENCES, st.lists(CONTEXTS, min_size=1, max_size=5), st.integers(1, 3))
def test_the_session_scores_as_the_tables_of_its_classes(
    first: list[list[int]], second: list[list[int]], texts: list[list[int]], order: int
) -> None:
    hashes = np.array([salt(number) for number in range(WORDS)])
    both = [framed(first), framed(second)]
    ids = np.concatenate(both)
    of_first = np.arange(len(ids)) < len(both[0])
    arrays = estimate_classes(hashes[ids], [of_first, ~of_first], start=hashes[START], order=order)
    rows = [framed([text]) for text in texts]
    totals, tokens = NgramSession(arrays).log_likelihoods(
        {"words": hashes[np.concatenate(rows)], "lengths": np.array([len(row) for row in rows])}
    )
    assert tokens.tolist() == [len(row) - 1 for row in rows]
    # Words unseen in training share one id, so the tables are made over seen words and one more.
    seen = np.unique(ids)
    number = np.full(WORDS, len(seen))
    number[seen] = np.arange(len(seen))
    pooled = estimate(count_ngrams(number[ids], vocabulary=len(seen) + 1, start=0, order=1), start=0)
    base = np.exp(pooled.levels[0].log_probs)
    for column, part in enumerate(both):
        levels = count_ngrams(number[part], vocabulary=len(seen) + 1, start=0, order=order)
        table = estimate(levels, start=0, base=base)
        expected = [table.log_probs(number[row]).sum() for row in rows]
        np.testing.assert_allclose(totals[:, column], expected, rtol=1e-4, atol=1e-4)
