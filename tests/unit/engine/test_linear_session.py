"""The linear session computes TF-IDF times weights, as scikit-learn does, and refuses damaged bytes."""

import numpy as np
import pytest

from gradatim.engine.linear import LinearSession, TfIdf
from gradatim.engine.members import pack_arrays
from gradatim.errors import ArtifactError

WORD, LETTER = 0, 1 << 62


def session(dtype: type = np.float32) -> LinearSession:
    keys = np.array([WORD | 5, WORD | 9, LETTER | 2], dtype=np.uint64)
    weights = np.array([[1.0, -1.0], [0.5, 2.0], [-3.0, 0.25]], dtype=dtype)
    return LinearSession(keys, np.array([1.0, 2.0, 1.5]), weights, np.array([0.1, -0.2]))


def run(model: LinearSession, *rows: list[int]) -> np.ndarray:
    keys = np.array([key for row in rows for key in row], dtype=np.uint64)
    return model.run({"keys": keys, "lengths": np.array([len(row) for row in rows])})["logits"]


def test_logits_by_hand() -> None:
    logits = run(session(), [9, LETTER | 2, 5, 9, 77])  # 77 is unknown
    five, nine = 1.0, (1 + np.log(2)) * 2.0
    length = np.hypot(five, nine)
    words = five / length * np.array([1, -1]) + nine / length * np.array([0.5, 2])
    assert logits[0] == pytest.approx(words + np.array([-3.0 + 0.1, 0.25 - 0.2]), rel=1e-6)
    assert logits.dtype == np.float32


def test_nothing_known_gives_the_bias() -> None:
    logits = run(session(), [], [77], [LETTER | 3], [(1 << 64) - 1])
    assert logits == pytest.approx(np.tile([0.1, -0.2], (4, 1)))


def test_rows_do_not_touch_each_other() -> None:
    rows = [[5], [], [9, 9, LETTER | 2], [5, 77]]
    together = run(session(), *rows)
    np.testing.assert_array_equal(together, np.concatenate([run(session(), row) for row in rows]))


def test_one_block_is_the_tfidf_of_scikit_learn() -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer

    texts = ["a b a c", "b b d", "c", "e f"]
    vectorizer = TfidfVectorizer(token_pattern=r"\w", sublinear_tf=True).fit(texts[:3])
    names = {word: i for i, word in enumerate(vectorizer.get_feature_names_out())}
    tfidf = TfIdf(np.arange(len(names), dtype=np.uint64), vectorizer.idf_)
    for text, expected in zip(texts, vectorizer.transform(texts).toarray(), strict=True):
        index, values = tfidf.row(np.array([names.get(w, 99) for w in text.split()], dtype=np.uint64))
        found = np.zeros(len(names))
        found[index] = values
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_bytes_keep_the_model_within_float16() -> None:
    model = session()
    again = LinearSession.from_npz(model.to_npz())
    rows = [[5, 9], [LETTER | 2]]
    np.testing.assert_allclose(run(again, *rows), run(model, *rows), atol=2e-3)
    assert LinearSession.from_npz(again.to_npz()).to_npz() == again.to_npz()


def test_a_model_without_features_answers_with_its_bias() -> None:
    empty = LinearSession(np.zeros(0, np.uint64), np.zeros(0), np.zeros((0, 2)), np.array([1.0, 2.0]))
    assert run(LinearSession.from_npz(empty.to_npz()), [5], []).tolist() == [[1, 2], [1, 2]]


@pytest.mark.parametrize(
    "change",
    [
        {"keys": np.zeros(2, np.uint64)},
        {"weights": np.zeros((3, 3))},
        {"weights": np.zeros(3)},
        {"bias": np.array([np.nan, 0.0])},
        {"idf": np.array([b"a", b"b", b"c"])},
        {"idf": None},
    ],
)
def test_arrays_that_do_not_fit_are_refused(change: dict[str, np.ndarray | None]) -> None:
    arrays = {
        "keys": np.arange(3, dtype=np.uint64),
        "idf": np.ones(3),
        "weights": np.zeros((3, 2)),
        "bias": np.zeros(2),
    }
    LinearSession.from_npz(pack_arrays(arrays))
    changed = {name: array for name, array in {**arrays, **change}.items() if array is not None}
    with pytest.raises(ArtifactError):
        LinearSession.from_npz(pack_arrays(changed))


def test_bytes_that_are_no_npz_are_refused() -> None:
    data = session().to_npz()
    for damaged in (b"", b"not a zip", data[: len(data) // 2]):
        with pytest.raises(ArtifactError):
            LinearSession.from_npz(damaged)


def test_pickles_are_never_loaded() -> None:
    import io

    stream = io.BytesIO()
    np.savez(stream, keys=np.array([object()], dtype=object), idf=[1.0], weights=[[1.0]], bias=[0.0])
    with pytest.raises(ArtifactError):
        LinearSession.from_npz(stream.getvalue())
