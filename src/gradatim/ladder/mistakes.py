"""The model's most confident mistakes, and training labels that are probably wrong."""

from __future__ import annotations

import numpy as np

from gradatim.ladder.probe import Features, one_hot, probe
from gradatim.ladder.records import Doubt
from gradatim.pipelines.metrics import decide
from gradatim.types import Array, Examples, Task

NO_LABEL = "(none)"


def worst_mistakes(
    examples: Examples,
    task: Task,
    probabilities: Array,
    thresholds: Array | None = None,
    *,
    limit: int = 20,
) -> list[Doubt]:
    """The wrong answers the model is most sure of, worst first.

    `probabilities` (n, labels). In a multi-label task a text is as wrong as its worst label, and the
    probability of the mistake is that of the wrong decision on it.
    """
    gold = one_hot(examples.targets, task) > 0.5
    if task.multi_label:
        said = decide(probabilities, thresholds)
        sure = np.where(said, probabilities, 1.0 - probabilities)
        sure = margin = np.where(said != gold, sure, 0.0).max(1)
    else:
        said = np.eye(len(task.labels), dtype=bool)[probabilities.argmax(1)]
        sure = probabilities.max(1)
        margin = sure - probabilities[gold]
    return _ranked(task, gold, said, margin, sure)[:limit]


def suspects(
    examples: Examples, features: Features, task: Task, *, folds: int = 5, seed: int = 0
) -> list[Doubt]:
    """Training labels that are probably errors, most suspect first (confident learning).

    Out-of-fold probabilities of a linear probe on `features` (n, d); a label's threshold is its mean
    probability over the texts that carry it (Northcutt, Jiang & Chuang 2021, eq. 2), and a text is
    suspect if another label reaches its threshold and is the most probable of those that do (eq. 1).
    Ranked by the margin between the two labels. In a multi-label task each label is a yes/no task,
    and a text is as suspect as its worst label.
    """
    p = out_of_fold(features, examples.targets, task, folds=folds, seed=seed)
    given = one_hot(examples.targets, task) > 0.5
    if not task.multi_label:
        found = confident_labels(p, examples.targets)
        best = np.where(found >= 0, found, examples.targets)
        likely = np.eye(len(task.labels), dtype=bool)[best]
        return _ranked(task, given, likely, p[likely] - p[given], p[likely])
    likely = given.copy()
    for label in range(p.shape[1]):
        yes_or_no = np.stack([1.0 - p[:, label], p[:, label]], axis=1)
        found = confident_labels(yes_or_no, given[:, label].astype(np.int64))
        likely[:, label] = np.where(found >= 0, found == 1, given[:, label])
    margin = np.where(likely != given, np.where(likely, 2 * p - 1, 1 - 2 * p), -1.0).max(1)
    return _ranked(task, given, likely, margin, 0.5 + margin / 2)


def confident_labels(probabilities: Array, given: Array) -> Array:
    """The most probable label (n,) among those that reach their threshold, -1 where none does."""
    counts = np.bincount(given, minlength=probabilities.shape[1])
    own = probabilities[np.arange(len(given)), given].astype(np.float64)
    sums = np.bincount(given, own, minlength=probabilities.shape[1])
    thresholds = np.where(counts > 0, sums / np.maximum(counts, 1), np.inf)
    reached = np.where(probabilities >= thresholds, probabilities, -1.0)
    return np.where(reached.max(1) >= 0, reached.argmax(1), -1)


def out_of_fold(features: Features, targets: Array, task: Task, *, folds: int = 5, seed: int = 0) -> Array:
    """Probabilities (n, labels) for each row from a probe that has not seen it; folds are stratified."""
    n = len(targets)
    shuffled = np.random.default_rng(seed).permutation(n)
    if not task.multi_label:
        shuffled = shuffled[np.argsort(targets[shuffled], kind="stable")]
    fold = np.empty(n, dtype=np.int64)
    fold[shuffled] = np.arange(n) % min(folds, n)
    probabilities = np.zeros((n, len(task.labels)), dtype=np.float32)
    for held_out in range(min(folds, n)):
        train, rest = np.flatnonzero(fold != held_out), np.flatnonzero(fold == held_out)
        probabilities[rest] = probe(features[train], targets[train], features[rest], task)
    return probabilities


def _ranked(task: Task, labels: Array, others: Array, margin: Array, sure: Array) -> list[Doubt]:
    """Where two sets of labels (n, labels) differ, the widest margin first."""
    rows = np.flatnonzero((labels != others).any(1))
    return [
        Doubt(int(i), _names(labels[i], task), _names(others[i], task), float(sure[i]))
        for i in rows[np.argsort(-margin[rows], kind="stable")]
    ]


def _names(on: Array, task: Task) -> str:
    return ", ".join(task.labels[i] for i in np.flatnonzero(on)) or NO_LABEL
