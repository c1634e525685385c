"""The classifier: windows pooled, chunks bounded, order without influence, wrong input refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from gradatim.engine.artifact import rewrite_artifact, write_artifact
from gradatim.engine.onnx import OnnxSession
from gradatim.errors import ArtifactError, ConfigError, DataError
from gradatim.pipelines import classification
from gradatim.pipelines.classification import TextClassifier, pool_windows, sigmoid, softmax
from gradatim.pipelines.evaluation import evaluate
from gradatim.tasks.open import load
from gradatim.text.pieces import PieceEncoder
from gradatim.types import Array, Examples, Task

TASK = Task(("negative", "positive"))
TEXTS = ["good film", "", "a b c d e f g h i j k l m n o p q r s t u v w x y z", "bad !", "not very good ."]


@pytest.fixture
def session(build_graph: Callable[..., bytes]) -> OnnxSession:
    return OnnxSession(build_graph(), threads=1)


@pytest.fixture
def classifier(tokenizer_json: str, session: OnnxSession) -> TextClassifier:
    return TextClassifier(PieceEncoder(tokenizer_json, max_length=12, stride=2), session, TASK)


def test_probabilities_are_those_of_the_formula(
    classifier: TextClassifier, tokenizer_json: str, weights: Array
) -> None:
    ids = PieceEncoder(tokenizer_json, max_length=12).encode(["good film"]).arrays["ids"]
    logits = weights[ids].mean(axis=0)
    wanted = np.exp(logits) / np.exp(logits).sum()
    np.testing.assert_allclose(classifier.probabilities(["good film"])[0], wanted, atol=1e-6)


def test_windows_of_one_text_are_pooled_by_length(
    classifier: TextClassifier, session: OnnxSession, tokenizer_json: str
) -> None:
    encoded = PieceEncoder(tokenizer_json, max_length=12, stride=2).encode([TEXTS[2]])
    logits, lengths = session.run(encoded.arrays)["logits"], encoded.arrays["lengths"]
    assert len(lengths) > 2
    wanted = (logits * lengths[:, None]).sum(axis=0) / lengths.sum()
    np.testing.assert_allclose(classifier.logits([TEXTS[2]])[0], wanted, atol=1e-6)


def test_pool_windows_by_hand() -> None:
    logits = np.array([[1.0], [5.0], [2.0], [4.0]], dtype=np.float32)
    pooled = pool_windows(logits, np.array([7, 1, 3, 2]), np.array([0, 1, 1, 2]), 3)
    np.testing.assert_allclose(pooled[:, 0], [1.0, (5 + 2 * 3) / 4, 4.0])
    assert pooled.dtype == np.float32


def test_order_and_company_of_texts_change_nothing(classifier: TextClassifier) -> None:
    many = TEXTS * 30
    order = np.random.default_rng(0).permutation(len(many))
    straight = classifier.probabilities(many)
    shuffled = classifier.probabilities([many[i] for i in order])
    np.testing.assert_allclose(shuffled, straight[order], atol=1e-6)
    alone = np.concatenate([classifier.probabilities([text]) for text in TEXTS])
    np.testing.assert_allclose(straight[: len(TEXTS)], alone, atol=1e-6)


@pytest.mark.parametrize("limit", ["_CHUNK_TEXTS", "_CHUNK_CHARACTERS"])
def test_chunks_change_nothing(
    classifier: TextClassifier, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    whole = classifier.probabilities(TEXTS * 4)
    monkeypatch.setattr(classification, limit, 3)
    np.testing.assert_allclose(classifier.probabilities(TEXTS * 4), whole, atol=1e-6)


def test_a_stream_is_read_no_further_than_needed(classifier: TextClassifier) -> None:
    taken = 0

    def endless() -> Iterator[tuple[str, None]]:
        nonlocal taken
        while True:
            taken += 1
            yield "good film", None

    stream = classifier.stream(endless())
    first = [next(stream) for _ in range(2000)]
    assert taken <= 3 * 1024
    assert len({prediction.label for prediction in first}) == 1


def test_one_text_gives_one_prediction_and_many_give_a_list(classifier: TextClassifier) -> None:
    one = classifier("good film")
    several = classifier(["good film", "bad"])
    assert (several[0].label, several[0].score) == (one.label, pytest.approx(one.score))
    p = classifier.probabilities(["good film"])[0]
    assert one.label == TASK.labels[int(p.argmax())]
    assert one.score == pytest.approx(p.max())
    assert one.labels == (one.label,)
    assert list(one.scores) == [one.label]
    everything = classifier("good film", top_k=None).scores
    assert list(everything.values()) == sorted(everything.values(), reverse=True)
    assert sum(everything.values()) == pytest.approx(1, abs=1e-6)
    assert classifier([]) == []
    assert classifier.probabilities([]).shape == (0, 2)


def test_temperature_flattens(session: OnnxSession, classifier: TextClassifier) -> None:
    hot = TextClassifier(classifier.encoder, session, TASK, {"temperature": 4.0})
    logits = classifier.logits(TEXTS)
    np.testing.assert_allclose(hot.probabilities(TEXTS), softmax(logits / 4), atol=1e-6)


def test_thresholds_decide_on_several_labels(session: OnnxSession, classifier: TextClassifier) -> None:
    task = Task(("funny", "sad"), multi_label=True)
    p = sigmoid(classifier.logits(["good film"]))[0].tolist()
    for margin, count in [(0.01, 0), (-0.01, 2)]:
        decision = {"thresholds": [value + margin for value in p]}
        found = TextClassifier(classifier.encoder, session, task, decision)("good film")
        assert len(found.labels) == count
        assert found.score == pytest.approx(max(p), abs=1e-6)


def test_extreme_logits_stay_finite() -> None:
    extreme = np.array([[1e4, -1e4], [-1e38, 1e38]], dtype=np.float32)
    for function in (softmax, sigmoid):
        assert np.isfinite(function(extreme)).all()
    np.testing.assert_allclose(sigmoid(np.float32([[0.0, 2.0]])), [[0.5, 1 / (1 + np.exp(-2))]], atol=1e-6)


def test_wrong_input_is_refused(session: OnnxSession, classifier: TextClassifier) -> None:
    paired = TextClassifier(classifier.encoder, session, Task(TASK.labels, pairs=True))
    assert len(paired(["good", "bad"], ["film", "film"])) == 2
    assert paired("good", "film").score == pytest.approx(paired(["good"], ["film"])[0].score)
    with pytest.raises(DataError, match="pairs of texts"):
        paired(["good"])
    with pytest.raises(DataError, match="2 texts need as many pairs, not 1"):
        paired(["good", "bad"], ["film"])
    with pytest.raises(DataError, match="single texts"):
        classifier(["good"], ["film"])
    with pytest.raises(DataError, match="both"):
        classifier("good", ["film"])
    with pytest.raises(DataError, match="both"):
        classifier(["good"], "film")
    with pytest.raises(DataError, match=r"text 1 .* is float"):
        classifier(["good", float("nan")])  # type: ignore[list-item]
    with pytest.raises(ConfigError, match="top_k"):
        classifier("good", top_k=0)


def test_wrong_decisions_are_refused(session: OnnxSession, classifier: TextClassifier) -> None:
    with pytest.raises(ConfigError, match="temperature"):
        TextClassifier(classifier.encoder, session, TASK, {"temperature": 0})
    with pytest.raises(ConfigError, match="thresholds"):
        TextClassifier(classifier.encoder, session, TASK, {"thresholds": [0.5]})
    three = TextClassifier(classifier.encoder, session, Task(("a", "b", "c")))
    with pytest.raises(ArtifactError, match="2 logits but the task has 3"):
        three("good")


def test_loading_gives_the_same_classifier(tiny_artifact: Path, classifier: TextClassifier) -> None:
    np.testing.assert_allclose(
        load(tiny_artifact).probabilities(TEXTS), classifier.probabilities(TEXTS), atol=1e-6
    )


def test_settings_that_make_no_model_are_refused(tiny_artifact: Path) -> None:
    def rebuilt(**changes: object) -> Path:
        fields: dict[str, object] = {"kind": "onnx", "task": TASK, "encoder": {"kind": "none"}, "members": {}}
        write_artifact(tiny_artifact, **{**fields, **changes})  # type: ignore[arg-type]
        return tiny_artifact

    with pytest.raises(ConfigError, match="threads"):
        load(tiny_artifact, threads=0)
    rewrite_artifact(tiny_artifact, decision={"temperature": "warm"})
    with pytest.raises(ArtifactError, match="warm"):
        load(tiny_artifact)
    with pytest.raises(ArtifactError, match=r"no 'model\.onnx'"):
        load(rebuilt())
    with pytest.raises(ArtifactError, match="did you mean 'onnx'"):
        load(rebuilt(kind="onx"))
    with pytest.raises(ArtifactError, match="did you mean 'pieces'"):
        load(rebuilt(encoder={"kind": "piece"}))
    with pytest.raises(ArtifactError, match="kind"):
        load(rebuilt(encoder={}))


def test_evaluation_counts_what_was_cut(tokenizer_json: str, session: OnnxSession) -> None:
    encoder = PieceEncoder(tokenizer_json, max_length=12, truncate=True)
    classifier = TextClassifier(encoder, session, TASK)
    examples = Examples(TEXTS, None, np.array([0, 1, 0, 1, 0]))
    found = evaluate(classifier, examples)
    assert found.metrics["n"] == 5
    assert found.metrics["cut_tokens"] == 26 - 10
    right = (found.probabilities.argmax(axis=1) == examples.targets).mean()
    assert found.metrics["accuracy"] == pytest.approx(right)
    assert found.metrics["texts_per_s"] > 0
    assert set(found.label_f1) == set(TASK.labels)
