"""Skip-gram and CBOW: gradients against the written-out sum of the paper, and what is learned."""

from __future__ import annotations

import numpy as np
import pytest

from gradatim.errors import ConfigError, DataError
from gradatim.vectors.corpus import read_words, sentences
from gradatim.vectors.table import WordVectors
from gradatim.vectors.word2vec import GROUP, SHARED, WORDS, Word2Vec, _padded, _Run

VOCABULARY, WIDTH = 30, 6


def sigmoid(x: float) -> float:
    return float(1 / (1 + np.exp(-x)))


@pytest.mark.parametrize(("window", "size"), [(3, 16), (8, 16), (10, 32)])
@pytest.mark.parametrize("cbow", [False, True])
def test_an_update_is_the_gradient_of_the_paper(
    cbow: bool, window: int, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    ids, rows = rng.integers(0, VOCABULARY, 600), np.sort(rng.integers(0, 60, 600))
    settings = Word2Vec(width=WIDTH, window=window, cbow=cbow, negatives=4)
    draws = np.random.default_rng(1)
    run = _Run(settings, np.bincount(ids, minlength=VOCABULARY), draws)
    run.inputs[:] = rng.normal(size=run.inputs.shape)
    run.outputs[:] = rng.normal(size=run.outputs.shape)
    words, places = _padded(ids, 0, window), _padded(rows, -1, window)
    near = run._near(places, draws)
    monkeypatch.setattr(run, "_near", lambda _sentences, _rng: near)
    state = draws.bit_generator.state
    drawn = np.searchsorted(run.noise, draws.random(WORDS // GROUP * SHARED))
    negatives = np.minimum(drawn, VOCABULARY - 1).reshape(-1, SHARED)
    draws.bit_generator.state = state
    v, u = run.inputs.astype(float), run.outputs.astype(float)
    d_v, d_u = np.zeros_like(v), np.zeros_like(u)
    share = 4 / SHARED
    for at in range(WORDS):
        block, inside = divmod(at, size)
        around = [words[size * block + j] for j in np.flatnonzero(near[block, inside])]
        centre = words[at + window]
        if cbow and around:
            h = v[around].mean(0)
            d_h = (1 - sigmoid(u[centre] @ h)) * u[centre]
            d_u[centre] += (1 - sigmoid(u[centre] @ h)) * h
            for n in negatives[at // GROUP]:
                d_h -= share * sigmoid(u[n] @ h) * u[n]
                d_u[n] -= share * sigmoid(u[n] @ h) * h
            np.add.at(d_v, around, d_h)
        elif not cbow:
            for place in np.flatnonzero(near[block, inside]):
                stands = size * block + int(place) - window
                c = words[stands + window]
                d_v[c] += (1 - sigmoid(u[centre] @ v[c])) * u[centre]
                d_u[centre] += (1 - sigmoid(u[centre] @ v[c])) * v[c]
                for n in negatives[stands // GROUP]:
                    d_v[c] -= share * sigmoid(u[n] @ v[c]) * u[n]
                    d_u[n] -= share * sigmoid(u[n] @ v[c]) * v[c]
    rate = 1e-3  # no vector goes as far as it may
    run.update(words[: WORDS + 2 * window], places[: WORDS + 2 * window], rate, draws)
    np.testing.assert_allclose((run.inputs - v) / rate, d_v, atol=2e-3)
    np.testing.assert_allclose((run.outputs - u) / rate, d_u, atol=2e-3)


def test_no_vector_goes_further_than_it_may() -> None:
    run = _Run(Word2Vec(width=4), np.array([2000, 2]), np.random.default_rng(0))
    words, rows = (
        _padded(array, -1 * i, 5) for i, array in enumerate((np.arange(WORDS) % 2, np.zeros(WORDS)))
    )
    before = run.inputs.copy()
    for _ in range(3):
        run.update(words, rows, 10.0, np.random.default_rng(2))
        assert np.isfinite(run.inputs).all()
        assert np.linalg.norm(run.inputs - before, axis=1).max() <= 0.5 + 1e-5
        before = run.inputs.copy()


def test_windows_stay_in_their_sentence_and_leave_the_word_out() -> None:
    run = _Run(Word2Vec(width=2, window=2), np.array([3, 3]), np.random.default_rng(0))
    rows = np.array([0, 0, 0, 1, 1, 2])
    near = run._near(_padded(rows, -1, 2), np.random.default_rng(1)).reshape(WORDS, -1)
    for at in range(WORDS):
        block = at // 16
        found = {16 * block + int(j) - 2 for j in np.flatnonzero(near[at])}
        assert at not in found
        if at >= len(rows):
            assert not found
        else:
            assert found <= {i for i in range(len(rows)) if rows[i] == rows[at] and abs(i - at) <= 2}
            assert {i for i in range(len(rows)) if rows[i] == rows[at] and abs(i - at) == 1} <= found


@pytest.mark.parametrize("window", [9, 33, 1024])
def test_wide_windows_learn_from_all_of_a_sentence(window: int) -> None:
    rows = np.repeat([0, 1], [WORDS // 2, WORDS])
    run = _Run(Word2Vec(width=2, window=window), np.array([3, 3]), np.random.default_rng(0))
    near = run._near(_padded(rows, -1, window)[: WORDS + 2 * window], np.random.default_rng(1))
    assert near.shape[1] >= 2 * window
    ids = np.arange(len(rows)) % 2
    assert np.isfinite(Word2Vec(width=4, window=window, sample=1.0).learn(ids, rows, np.bincount(ids))).all()
    farthest = max(int(np.flatnonzero(row)[-1]) - at - window for at, row in enumerate(near[0]))
    assert window / 2 < farthest <= window


@pytest.mark.parametrize("cbow", [False, True])
def test_words_of_the_same_company_come_near(cbow: bool) -> None:
    rng = np.random.default_rng(0)
    groups = [[f"{name}{i}" for i in range(6)] for name in ("cat", "car", "tax")]
    lines = [" ".join(rng.choice(groups[i % 3], 8)) + "." for i in range(6000)]
    found = read_words(sentences([("here", "\n".join(lines).encode())]), min_count=2)
    settings = Word2Vec(width=16, window=4, epochs=6, cbow=cbow, rate=0.05, sample=1.0)
    vectors = WordVectors(found.words, settings.learn(found.ids, found.rows, found.counts))
    for group in groups:
        assert {word for word, _ in vectors.near(group[0], 5)} == set(group[1:])
    again = settings.learn(found.ids, found.rows, found.counts)
    assert (again == vectors.table).all()
    together = settings.learn(found.ids, found.rows, found.counts, threads=3)
    assert {word for word, _ in WordVectors(found.words, together).near("cat0", 5)} == set(groups[0][1:])


def test_text_becomes_frequent_words() -> None:
    blocks = [("here", "The cat's HAT! the na\u00efve cat.\nOnce; the rare\n".encode())]
    found = read_words(sentences(blocks), min_count=1)
    assert found.words[0] == "the"
    assert found.counts[0] == 3
    assert [found.words[i] for i in found.ids] == [
        "the",
        "cat's",
        "hat",
        "the",
        "naïve",
        "cat",
        "once",
        "the",
        "rare",
    ]
    assert found.rows.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    with pytest.raises(DataError, match="fewer than two words"):
        read_words(blocks, min_count=4)


def test_settings_that_cannot_be_are_refused() -> None:
    with pytest.raises(ConfigError, match="window must be at most 1024"):
        Word2Vec(window=1025)
    with pytest.raises(ConfigError, match="width must be at least 1"):
        Word2Vec(width=0)
    with pytest.raises(ConfigError, match="above 0"):
        Word2Vec(rate=0)
    with pytest.raises(DataError, match="two words"):
        Word2Vec().learn(np.array([0]), np.array([0]), np.array([1]))
