"""The model's most confident mistakes, and training labels that are probably wrong."""

from __future__ import annotations

import numpy as np

from gradatim.ladder.probe import Features, one_hot, probe
from gradatim.ladder.records import Mistake, Suspect
from gradatim.types import Array, Examples, Task

NO_LABEL = "(none)"


def worst_mistakes(
    examples: Examples,
    task: Task,
    probabilities: Array,
    thresholds: Array | None = None,
    *,
    limit: int = 20,
) -> list[Mistake]:
    """The wrong answers the model is most sure of, worst first.

    `probabilities` (n, labels). In a multi-label task a text is as wrong as its worst label, and the
    two probabilities of the mistake are that label's: of the wrong decision and of the right one.
    """
    if task.multi_label:
        return _worst_label_sets(examples, task, probabilities, thresholds, limit)
    rows = np.arange(len(examples))
    predicted = probabilities.argmax(1)
    sure, gold = probabilities[rows, predicted], probabilities[rows, examples.targets]
    wrong = rows[predicted != examples.targets]
    ranked = wrong[np.argsort(gold[wrong] - sure[wrong], kind="stable")][:limit]
    return [
        Mistake(
            row=int(i),
            text=examples.texts[i],
            pair=None if examples.pairs is None else examples.pairs[i],
            gold=task.labels[examples.targets[i]],
            predicted=task.labels[predicted[i]],
            probability=float(sure[i]),
            gold_probability=float(gold[i]),
        )
        for i in ranked
    ]


def _worst_label_sets(
    examples: Examples, task: Task, probabilities: Array, thresholds: Array | None, limit: int
) -> list[Mistake]:
    predicted = probabilities >= (0.5 if thresholds is None else thresholds)
    gold = examples.targets > 0.5
    decided = np.where(predicted, probabilities, 1.0 - probabilities)
    blunder = np.where(predicted != gold, decided, 0.0).max(1)
    wrong = np.flatnonzero((predicted != gold).any(1))
    ranked = wrong[np.argsort(-blunder[wrong], kind="stable")][:limit]
    return [
        Mistake(
            row=int(i),
            text=examples.texts[i],
            pair=None if examples.pairs is None else examples.pairs[i],
            gold=label_names(gold[i], task),
            predicted=label_names(predicted[i], task),
            probability=float(blunder[i]),
            gold_probability=float(1.0 - blunder[i]),
        )
        for i in ranked
    ]


def label_names(on: Array, task: Task) -> str:
    """The names of the labels that are on, joined by commas."""
    return ", ".join(name for name, flag in zip(task.labels, on, strict=True) if flag) or NO_LABEL


def suspects(
    examples: Examples, features: Features, task: Task, *, folds: int = 5, seed: int = 0
) -> list[Suspect]:
    """Training labels that are probably errors, most suspect first (confident learning).

    Out-of-fold probabilities of a linear probe on `features` (n, d); a label's threshold is its mean
    probability over the texts that carry it (Northcutt, Jiang & Chuang 2021, eq. 2), and a text is
    suspect if another label reaches its threshold and is the most probable of those that do (eq. 1).
    Ranked by the margin between the two labels. In a multi-label task each label is a yes/no task.
    """
    p = out_of_fold(features, examples.targets, task, folds=folds, seed=seed)
    if task.multi_label:
        return _suspect_label_sets(examples, task, p)
    rows, given = np.arange(len(examples)), examples.targets
    likely = confident_labels(p, given)
    found = rows[(likely >= 0) & (likely != given)]
    margin = p[found, given[found]] - p[found, likely[found]]
    return [
        Suspect(
            row=int(i),
            text=examples.texts[i],
            pair=None if examples.pairs is None else examples.pairs[i],
            given=task.labels[given[i]],
            likely=task.labels[likely[i]],
            given_probability=float(p[i, given[i]]),
            likely_probability=float(p[i, likely[i]]),
        )
        for i in found[np.argsort(margin, kind="stable")]
    ]


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


def _suspect_label_sets(examples: Examples, task: Task, p: Array) -> list[Suspect]:
    """Each label decided yes or no by the same rule; a text is as suspect as its worst label."""
    given = one_hot(examples.targets, task) > 0.5
    likely = given.copy()
    margin = np.full(p.shape, -1.0)
    for label in range(p.shape[1]):
        both = np.stack([1.0 - p[:, label], p[:, label]], axis=1)
        confident = confident_labels(both, given[:, label].astype(np.int64))
        likely[:, label] = np.where(confident >= 0, confident == 1, given[:, label])
        turned = likely[:, label] != given[:, label]
        towards = np.where(likely[:, label], both[:, 1] - both[:, 0], both[:, 0] - both[:, 1])
        margin[:, label] = np.where(turned, towards, -1.0)
    found = np.flatnonzero((likely != given).any(1))
    worst = margin.max(1)
    return [
        Suspect(
            row=int(i),
            text=examples.texts[i],
            pair=None if examples.pairs is None else examples.pairs[i],
            given=label_names(given[i], task),
            likely=label_names(likely[i], task),
            given_probability=float(0.5 - worst[i] / 2),
            likely_probability=float(0.5 + worst[i] / 2),
        )
        for i in found[np.argsort(-worst[found], kind="stable")]
    ]
