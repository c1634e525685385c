"""What the report adds to the figures of the chosen model: lengths, learning curve, label suspects, test."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from gradatim.engine.artifact import read_artifact
from gradatim.errors import GradatimError
from gradatim.ladder.decision import judged_apart
from gradatim.ladder.lab import FEATURES, Lab
from gradatim.ladder.learning import learning_curve
from gradatim.ladder.measure import measured_answers
from gradatim.ladder.mistakes import suspects
from gradatim.ladder.records import Choice, Evidence, Interval, Row
from gradatim.ladder.rung import Problem
from gradatim.pipelines.open import open_artifact
from gradatim.tasks.judged import load_judged
from gradatim.text.features import FeatureEncoder
from gradatim.types import Array

MOST = 20_000  # training texts for the probe behind curve and suspects


def gather_evidence(problem: Problem, row: Row) -> Evidence:
    """Everything the report shows about `row` that its measurement does not hold."""
    corpus, task = problem.corpus, problem.corpus.task
    answers = judged_apart(measured_answers(row.candidate), corpus.dev.targets)
    train, dev = _features(problem)
    some = np.random.default_rng(problem.seed).permutation(len(corpus.train))[:MOST]
    targets = corpus.train.targets[some]
    curve = learning_curve(
        train[some], targets, dev, corpus.dev.targets, task, problem.metric, seed=problem.seed
    )
    found = suspects(corpus.train.take(some), train[some], task, seed=problem.seed)
    return Evidence(
        answers["probabilities"],
        answers.get("thresholds"),
        *_lengths(problem, row),
        curve,
        [replace(suspect, row=int(some[suspect.row])) for suspect in found],
    )


def test_results(problem: Problem, choice: Choice) -> dict[str, Interval]:
    """Quality on the test split, touched here and nowhere else: the chosen one and the runner-up."""
    test, task, goal = problem.corpus.test, problem.corpus.task, problem.goal
    results: dict[str, Interval] = {}
    for row in (choice.chosen, choice.runner_up):
        if test is None or row is None:
            continue
        model = load_judged(row.candidate.artifact, threads=problem.threads)
        answers = model.answers(test.texts, test.pairs)
        results[row.name] = goal.judge(problem.metric, task, test, answers, seed=problem.seed)
    return results


def _features(problem: Problem) -> tuple[Any, Any]:
    """Frozen encoder vectors of train and dev where the climb has made them, else TF-IDF rows."""
    try:
        if (problem.shared / FEATURES).is_file():
            return Lab.of(problem).features("mean")
    except GradatimError:  # a resumed climb whose encoder is gone
        pass
    from gradatim.ladder.rungs.linear import feature_settings, learn_features, matrix

    corpus = problem.corpus
    encoder = FeatureEncoder(feature_settings(corpus))
    tfidf = learn_features(encoder, corpus.train, len(corpus.task.labels))
    return matrix(encoder, tfidf, corpus.train), matrix(encoder, tfidf, corpus.dev)


def _lengths(problem: Problem, row: Row) -> tuple[Array, str]:
    """Sizes of the dev texts: tokens as a neural model reads them, words between blanks for the others."""
    dev, artifact = problem.corpus.dev, read_artifact(Path(row.candidate.artifact))
    if artifact.kind == "onnx":
        encoded = open_artifact(artifact, threads=problem.threads).encoder.encode(dev.texts, dev.pairs)
        tokens = np.bincount(encoded.owners, encoded.arrays["lengths"], minlength=encoded.num_texts)
        return tokens.astype(np.int64), "tokens"
    texts = dev.texts if dev.pairs is None else map(" ".join, zip(dev.texts, dev.pairs, strict=True))
    return np.array([len(text.split()) for text in texts]), "words"
