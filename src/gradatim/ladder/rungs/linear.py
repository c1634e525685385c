"""The third rung: TF-IDF over word and character n-grams, and logistic regression."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradatim.engine.artifact import write_artifact
from gradatim.engine.linear import LinearSession, TfIdf
from gradatim.ladder.decision import Decision, fit_decision, negative_log_likelihood, quality
from gradatim.ladder.logistic import Regressions, log_prior
from gradatim.ladder.rung import Problem
from gradatim.text.features import FeatureEncoder, FeatureSettings
from gradatim.types import Array, Candidate, Corpus, Examples

CHARACTERS = 8_000_000  # training text beyond this goes without character n-grams: dearer and no better
MAX_FEATURES = 200_000
MAX_WEIGHTS = 4_000_000  # two bytes each in the artifact
STRENGTHS = (1.0, 3.0, 10.0, 30.0, 100.0)
CHUNK = 1 << 20  # characters encoded at once


@dataclass(frozen=True, slots=True)
class Trial:
    """A fitted model and how it does on dev."""

    session: LinearSession
    decision: Decision
    strength: float
    bayes: bool
    quality: float
    loss: float


class LinearRung:
    """Logistic regression on hashed n-grams, its strength C chosen on dev.

    Binary and multi-label tasks are also tried with every feature scaled by its naive Bayes
    log-count ratio (Wang & Manning 2012), which ends up in the weights.
    """

    name = "linear"

    def cost_s(self, problem: Problem) -> float:
        """Measured on two cores: by characters, and with character n-grams by labels too."""
        train, task = problem.corpus.train, problem.corpus.task
        characters = _characters(train)
        per_label = 1.3 if task.multi_label else 0.7
        share = 0.1 if characters > CHARACTERS else 1.0
        return 0.5 + 1e-6 * characters * (0.4 + share * (4.5 + per_label * max(len(task.labels) - 2, 0)))

    def fit(self, problem: Problem) -> list[Candidate]:
        """Fit all strengths, keep the best on dev and write `linear.gradatim`."""
        began = time.perf_counter()
        corpus = problem.corpus
        encoder = FeatureEncoder(feature_settings(corpus))
        tfidf = learn_features(encoder, corpus.train, len(corpus.task.labels))
        matrices = tuple(matrix(encoder, tfidf, examples) for examples in (corpus.train, corpus.dev))
        best = max(_trials(problem, tfidf, *matrices), key=lambda trial: (trial.quality, -trial.loss))
        path = problem.folder / "linear.gradatim"
        write_artifact(
            path,
            kind="linear",
            task=corpus.task,
            encoder=encoder.settings(),
            members={"model.npz": best.session.to_npz()},
            decision=best.decision.settings(),
        )
        weights = best.session.weights
        how = ", scaled by naive Bayes log-count ratios" * best.bayes
        notes = (f"C = {best.strength:g}{how}, {len(weights)} features",)
        made_s = time.perf_counter() - began
        params = weights.size + best.session.bias.size
        return [Candidate("linear", self.name, str(path), made_s, params, notes=notes)]


def feature_settings(corpus: Corpus) -> FeatureSettings:
    """Words and pairs of words, and character n-grams unless there is so much text that words say enough."""
    longest = 0 if _characters(corpus.train) > CHARACTERS else 5
    return FeatureSettings(longest=longest, pairs=corpus.task.pairs)


def learn_features(encoder: FeatureEncoder, examples: Examples, num_labels: int) -> TfIdf:
    """The features that occur in at least two texts (the most frequent, if too many) and their idf.

    idf = ln((1 + n) / (1 + df)) + 1, n texts of which df have the feature.
    """
    keys, frequency = np.zeros(0, dtype=np.uint64), np.zeros(0, dtype=np.int64)
    for rows in _rows(encoder, examples):
        fresh = np.concatenate([np.unique(row) for row in rows])
        if len(keys) + len(fresh) == 0:
            continue
        merged = np.concatenate([keys, fresh])
        counts = np.concatenate([frequency, np.ones(len(fresh), dtype=np.int64)])
        order = np.argsort(merged, kind="stable")
        merged = merged[order]
        first = np.flatnonzero(np.concatenate(([True], merged[1:] != merged[:-1])))
        keys, frequency = merged[first], np.add.reduceat(counts[order], first)
    limit = min(MAX_FEATURES, MAX_WEIGHTS // num_labels)
    kept = np.flatnonzero(frequency > (1 if len(examples) >= 100 else 0))
    if len(kept) > limit:
        kept = np.sort(kept[np.argsort(-frequency[kept], kind="stable")[:limit]])
    idf = np.log((1 + len(examples)) / (1 + frequency[kept])) + 1
    return TfIdf(keys[kept], idf.astype(np.float16))  # as the artifact keeps it


def matrix(encoder: FeatureEncoder, tfidf: TfIdf, examples: Examples) -> Any:
    """The TF-IDF rows of all examples as a scipy CSR matrix (texts, features), float32."""
    from scipy.sparse import csr_matrix

    rows = [tfidf.row(keys) for chunk in _rows(encoder, examples) for keys in chunk]
    ends = np.cumsum([0, *(len(index) for index, _ in rows)])
    index = np.concatenate([index.astype(np.int32) for index, _ in rows])
    values = np.concatenate([values for _, values in rows])
    return csr_matrix((values, index, ends), shape=(len(rows), len(tfidf.keys)))


def _characters(examples: Examples) -> int:
    return sum(map(len, examples.texts)) + sum(map(len, examples.pairs or ()))


def _rows(encoder: FeatureEncoder, examples: Examples) -> Iterator[list[Array]]:
    """The feature keys of each text, a chunk of texts at a time."""
    start, size = 0, 0
    for row in range(len(examples)):
        size += len(examples.texts[row]) + (len(examples.pairs[row]) if examples.pairs else 0)
        if size < CHUNK and row + 1 < len(examples):
            continue
        pairs = None if examples.pairs is None else examples.pairs[start : row + 1]
        arrays = encoder.encode(examples.texts[start : row + 1], pairs).arrays
        yield np.split(arrays["keys"], np.cumsum(arrays["lengths"])[:-1])
        start, size = row + 1, 0


def _trials(problem: Problem, tfidf: TfIdf, train: Any, dev: Any) -> Iterator[Trial]:
    """Models of growing strength, with and without naive Bayes scaling, until dev stops gaining."""
    task, targets = problem.corpus.task, problem.corpus.dev.targets
    scalable = task.multi_label or len(task.labels) == 2
    for bayes in (False, True)[: 1 + scalable]:
        prior = log_prior(task, problem.corpus.train)
        models = Regressions(task, train, problem.corpus.train.targets, prior, bayes=bayes)
        best, worse = -np.inf, 0
        for done, strength in enumerate(STRENGTHS):
            weights, bias = models.fit(strength)
            session = LinearSession.from_npz(LinearSession(tfidf.keys, tfidf.idf, weights, bias).to_npz())
            logits = (dev @ session.weights + session.bias).astype(np.float32)
            decision = fit_decision(logits, targets, multi_label=task.multi_label)
            loss = negative_log_likelihood(logits / decision.temperature, targets)
            result = quality(problem.metric, task, targets, logits, decision)
            problem.say(
                f"C = {strength:g}{' with naive Bayes' * bayes}: {problem.metric} {result:.4f} on dev"
            )
            problem.progress((bayes + (done + 1) / len(STRENGTHS)) / (1 + scalable))
            yield Trial(session, decision, strength, bayes, result, loss)
            best, worse = (result, 0) if result > best else (best, worse + 1)
            if worse == 2:
                break
