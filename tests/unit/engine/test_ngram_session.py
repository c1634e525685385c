"""The n-gram session: Bayes' rule over class models, scaling, background, long texts, damaged bytes."""

from dataclasses import replace

import numpy as np
import pytest

from gradatim.engine import ngram
from gradatim.engine.members import pack_arrays, unpack_arrays
from gradatim.engine.ngram import NgramArrays, NgramSession
from gradatim.errors import ArtifactError
from gradatim.ngram.classes import estimate_classes
from gradatim.text.words import START, WordEncoder

GOOD = ["a good film", "good good acting", "what a good story"]
BAD = ["a bad film", "bad acting", "what a bad bad story"]


def arrays(order: int = 2, *, background: bool = False) -> NgramArrays:
    encoded = WordEncoder().encode([*GOOD, *BAD]).arrays
    labels = np.repeat([0, 0, 0, 1, 1, 1], encoded["lengths"])
    members = [labels == 0, labels == 1, *([labels >= 0] if background else [])]
    made = estimate_classes(encoded["words"], members, start=START, order=order)
    return replace(made, prior=np.zeros(2, dtype=np.float32))


def logits(session: NgramSession, *texts: str) -> np.ndarray:
    return session.run(WordEncoder().encode(texts).arrays)["logits"]


@pytest.mark.parametrize("order", [1, 2, 3])
def test_the_class_whose_words_they_are_wins(order: int) -> None:
    found = logits(NgramSession(arrays(order)), "a good story", "bad film", "")
    assert found.dtype == np.float32
    assert found[0, 0] > found[0, 1]
    assert found[1, 0] < found[1, 1]
    assert np.isfinite(found).all()


def test_prior_scale_and_power_enter_as_stated() -> None:
    plain = NgramSession(arrays())
    evidence, tokens = plain.evidence(WordEncoder().encode(["good film", "bad"]).arrays)
    assert tokens.tolist() == [3, 2]  # the end of the sentence is predicted too
    scaled = NgramSession(replace(plain.arrays, prior=np.array([0.5, -1.0]), scaling=np.array([0.25, 0.5])))
    expected = np.array([0.5, -1.0]) + 0.25 * evidence / np.sqrt(tokens)[:, None]
    np.testing.assert_allclose(logits(scaled, "good film", "bad"), expected, rtol=1e-5)


def test_with_a_background_the_evidence_is_a_ratio() -> None:
    session = NgramSession(arrays(background=True))
    encoded = WordEncoder().encode(["good film"]).arrays
    totals, _ = session.log_likelihoods(encoded)
    assert totals.shape == (1, 3)
    np.testing.assert_allclose(session.run(encoded)["logits"], totals[:, :2] - totals[:, 2:], rtol=1e-5)
    good, bad = logits(session, "good film")[0]
    assert good > bad


def test_long_texts_are_worked_through_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    session = NgramSession(arrays(3))
    texts = ("a good bad film what " * 20, "", "bad acting", "good")
    whole = logits(session, *texts)
    monkeypatch.setattr(ngram, "CELLS", 21)  # 7 tokens at a time
    np.testing.assert_allclose(logits(session, *texts), whole, rtol=1e-5)


def test_rows_do_not_touch_each_other() -> None:
    session = NgramSession(arrays(3))
    texts = ["good", "", "a bad film", "unheard of"]
    together = logits(session, *texts)
    alone = np.concatenate([logits(session, text) for text in texts])
    np.testing.assert_allclose(together, alone, rtol=1e-6)
    assert logits(session).shape == (0, 2)


def test_bytes_keep_the_model_within_float16() -> None:
    session = NgramSession(arrays(3))
    again = NgramSession.from_npz(session.to_npz())
    np.testing.assert_allclose(logits(again, *GOOD), logits(session, *GOOD), atol=0.05)
    assert NgramSession.from_npz(again.to_npz()).to_npz() == again.to_npz()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("counts", np.zeros(1, np.uint8)),
        ("classes", np.zeros(2, np.uint8)),
        ("prior", np.zeros(5)),
        ("log_probs", np.array([np.nan])),
        ("keys", np.zeros((2, 2), np.uint64)),
    ],
)
def test_arrays_that_do_not_fit_are_refused(name: str, value: np.ndarray) -> None:
    members = unpack_arrays(NgramSession(arrays()).to_npz(), {})
    with pytest.raises(ArtifactError):
        NgramSession.from_npz(pack_arrays({**members, name: value}))
