"""The three classical rungs learn what can be learnt, for every kind of task, and write what they learnt."""

from pathlib import Path

import numpy as np
import pytest

from gradatim.ladder.goals import goal_of
from gradatim.ladder.goals.labels import LabelGoal
from gradatim.ladder.logistic import Regressions, log_count_ratio
from gradatim.ladder.rung import Problem, Rung
from gradatim.ladder.rungs.linear import LinearRung, learn_features, matrix
from gradatim.ladder.rungs.majority import MajorityRung, log_prior
from gradatim.ladder.rungs.ngram import NgramRung
from gradatim.pipelines.classification import TextClassifier
from gradatim.pipelines.metrics import default_metric, score
from gradatim.tasks.open import load
from gradatim.text.features import FeatureEncoder
from gradatim.types import Array, Corpus, Examples, Task

TOPICS = {"sport": "goal team match", "food": "bread soup salt", "space": "orbit rocket moon"}
FILLER = ["the", "a", "of", "it", "was"]
RUNGS = [MajorityRung(), NgramRung(), LinearRung()]


def sentence(rng: np.random.Generator, topics: list[str]) -> str:
    words = [word for topic in topics for word in rng.choice(TOPICS[topic].split(), 2).tolist()]
    return " ".join(rng.permutation([*words, *rng.choice(FILLER, 3).tolist()]).tolist())


def topics(labels: int, n: int, seed: int) -> Examples:
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, labels, n)
    return Examples([sentence(rng, [list(TOPICS)[target]]) for target in targets], None, targets)


def topic_sets(n: int, seed: int) -> Examples:
    rng = np.random.default_rng(seed)
    targets = (rng.random((n, 3)) < 0.4).astype(np.float32)
    names = np.array(list(TOPICS))
    return Examples([sentence(rng, names[row > 0].tolist()) for row in targets], None, targets)


def paraphrases(n: int, seed: int) -> Examples:
    """Pairs that share their words, or not: only the comparison of both tells the label."""
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, 2, n)
    firsts = [sentence(rng, [rng.choice(list(TOPICS))]) for _ in targets]
    seconds = [
        " ".join(rng.permutation(first.split()).tolist())
        if same
        else sentence(rng, [rng.choice(list(TOPICS))])
        for first, same in zip(firsts, targets, strict=True)
    ]
    return Examples(firsts, seconds, targets)


def corpus(kind: str) -> Corpus:
    match kind:
        case "binary":
            return Corpus(kind, Task(("sport", "food")), topics(2, 200, 0), topics(2, 60, 1), None)
        case "classes":
            return Corpus(kind, Task(tuple(TOPICS)), topics(3, 200, 0), topics(3, 60, 1), None)
        case "labels":
            return Corpus(
                kind, Task(tuple(TOPICS), multi_label=True), topic_sets(300, 0), topic_sets(80, 1), None
            )
        case _:
            task = Task(("different", "same"), pairs=True)
            return Corpus(kind, task, paraphrases(300, 0), paraphrases(80, 1), None)


def climb(rung: Rung, data: Corpus, folder: Path) -> tuple[TextClassifier, float]:
    """The model as written, and its quality on dev."""
    problem = Problem(data, goal_of(data.task), folder, folder, default_metric(data.task))
    assert rung.cost_s(problem) > 0
    (candidate,) = rung.fit(problem)
    assert candidate.rung == rung.name
    assert candidate.params > 0
    model = load(candidate.artifact)
    found = model.probabilities(data.dev.texts, data.dev.pairs)
    assert np.isfinite(found).all()
    assert ((found >= 0) & (found <= 1)).all()
    return model, score(problem.metric, data.task, data.dev.targets, found, model.thresholds)


@pytest.mark.parametrize(
    ("rung", "kind", "least"),
    [
        (NgramRung(), "binary", 0.95),
        (NgramRung(), "classes", 0.95),
        (NgramRung(), "labels", 0.9),
        (NgramRung(), "pairs", 0.9),
        (LinearRung(), "binary", 0.95),
        (LinearRung(), "classes", 0.95),
        (LinearRung(), "labels", 0.9),
        (LinearRung(), "pairs", 0.9),
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_what_can_be_learnt_is_learnt(rung: Rung, kind: str, least: float, tmp_path: Path) -> None:
    _, quality = climb(rung, corpus(kind), tmp_path)
    assert quality >= least


@pytest.mark.parametrize("kind", ["binary", "classes", "labels", "pairs"])
def test_majority_answers_with_the_frequencies(kind: str, tmp_path: Path) -> None:
    data = corpus(kind)
    model, _ = climb(MajorityRung(), data, tmp_path)
    targets = data.train.targets
    shares = targets.mean(axis=0) if targets.ndim == 2 else np.bincount(targets) / len(targets)
    found = model.probabilities(data.dev.texts[:1], data.dev.pairs and data.dev.pairs[:1])
    assert found[0] == pytest.approx(shares, abs=0.02)


@pytest.mark.parametrize(("frequent", "told"), [(1, "always b"), (0, "always without a label")])
def test_majority_of_several_labels_tells_what_it_decides(frequent: int, told: str, tmp_path: Path) -> None:
    hot = np.array([[1, 0], [0, frequent], [0, frequent], [0, 0], [0, frequent]], dtype=np.float32)
    data = Examples([f"text {i}" for i in range(5)], None, hot)
    problem = Problem(
        Corpus("few", Task(("a", "b"), multi_label=True), data, data, None),
        LabelGoal(),
        tmp_path,
        tmp_path,
        "f1",
    )
    (candidate,) = MajorityRung().fit(problem)
    assert candidate.notes == (told,)
    assert load(candidate.artifact)("any").labels == (("b",) if frequent else ())


@pytest.mark.parametrize("rung", RUNGS, ids=lambda rung: rung.name)
def test_one_example_per_class_and_nothing_to_read(rung: Rung, tmp_path: Path) -> None:
    few = Examples(["", "orbit", "  "], None, np.array([0, 1, 2]))
    model, _ = climb(rung, Corpus("few", Task(("a", "b", "c")), few, few, None), tmp_path)
    found = model.probabilities(["", "never heard"])
    assert found.min() > 0.001  # three examples make nobody sure
    assert found.max() < 0.95


@pytest.mark.parametrize("rung", RUNGS, ids=lambda rung: rung.name)
def test_empty_texts_alone_still_make_a_model(rung: Rung, tmp_path: Path) -> None:
    blank = Examples([""] * 6, None, np.array([0, 0, 0, 0, 1, 1]))
    model, _ = climb(rung, Corpus("blank", Task(("a", "b")), blank, blank, None), tmp_path)
    assert model([""])[0].label == "a"


@pytest.mark.parametrize("rung", RUNGS, ids=lambda rung: rung.name)
def test_a_label_without_training_text_is_possible_but_not_preferred(rung: Rung, tmp_path: Path) -> None:
    train, dev = topics(2, 120, 0), topics(3, 40, 1)
    data = Corpus("gap", Task(tuple(TOPICS)), train, dev, None)
    model, _ = climb(rung, data, tmp_path)
    assert model.probabilities(train.texts).argmax(axis=1).max() < 2


@pytest.mark.parametrize("rung", [NgramRung(), LinearRung()], ids=lambda rung: rung.name)
def test_the_same_data_gives_the_same_bytes(rung: Rung, tmp_path: Path) -> None:
    written = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        climb(rung, corpus("binary"), tmp_path / name)
        written.append((tmp_path / name / f"{rung.name}.gradatim").read_bytes())
    assert written[0] == written[1]


def test_the_run_time_sees_the_features_that_were_trained_on(tmp_path: Path) -> None:
    """The matrix of training times the weights is what the artifact answers from the raw text."""
    data = corpus("classes")
    model, _ = climb(LinearRung(), data, tmp_path)
    encoder = FeatureEncoder()
    rows = matrix(encoder, learn_features(encoder, data.train, 3), data.dev)
    session = model.session
    expected = rows @ session.weights + session.bias  # type: ignore[attr-defined]
    np.testing.assert_allclose(model.logits(data.dev.texts), expected, atol=1e-4)


def test_features_are_those_of_two_texts_and_the_most_frequent_first(monkeypatch: pytest.MonkeyPatch) -> None:
    from gradatim.ladder.rungs import linear

    examples = topics(3, 150, 0)
    encoder = FeatureEncoder()
    whole = learn_features(encoder, examples, 3)
    assert (np.diff(whole.keys.astype(np.float64)) > 0).all()
    assert whole.idf.max() <= np.log((1 + 150) / (1 + 2)) + 1 + 1e-6
    monkeypatch.setattr(linear, "MAX_FEATURES", 20)
    capped = learn_features(encoder, examples, 3)
    assert len(capped.keys) == 20
    assert set(capped.keys) < set(whole.keys)
    assert capped.idf.max() <= np.sort(whole.idf)[20] + 1e-6
    monkeypatch.setattr(linear, "CHUNK", 50)  # many chunks change nothing
    np.testing.assert_array_equal(learn_features(encoder, examples, 3).keys, capped.keys)


def test_regressions_agree_with_scikit_learn() -> None:
    from scipy.sparse import csr_matrix
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0)
    features = csr_matrix(rng.random((80, 6)) * (rng.random((80, 6)) < 0.5))
    for labels in (2, 3):
        targets = rng.integers(0, labels, 80)
        task = Task(tuple("abc"[:labels]))
        prior = log_prior(task, Examples([""] * 80, None, targets))
        weights, bias = Regressions(task, features, targets, prior, bayes=False).fit(2.0)
        expected = LogisticRegression(C=2.0, tol=1e-6).fit(features, targets).predict_proba(features)
        logits = features @ weights + bias
        found = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        np.testing.assert_allclose(found, expected, atol=2e-3)


def test_a_label_that_is_always_or_never_set_keeps_its_prior() -> None:
    targets = np.array([[1, 0, 0], [1, 0, 1], [1, 0, 0]], dtype=np.float32)
    task = Task(("always", "never", "once"), multi_label=True)
    prior = log_prior(task, Examples([""] * 3, None, targets))
    features: Array = np.eye(3, dtype=np.float32)
    weights, bias = Regressions(task, features, targets, prior, bayes=False).fit(1.0)
    assert bias[:2] == pytest.approx(prior[:2])
    assert not weights[:, :2].any()
    assert weights[1, 2] > 0


def test_log_count_ratio_by_hand() -> None:
    features = np.array([[1.0, 0.0], [2.0, 1.0], [0.0, 1.0]])
    ratio = log_count_ratio(features, np.array([True, True, False]))
    assert ratio == pytest.approx(np.log([(4 / 6) / (1 / 3), (2 / 6) / (2 / 3)]))
