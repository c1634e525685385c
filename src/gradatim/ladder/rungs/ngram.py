"""The second rung: one Kneser-Ney n-gram model per class, read with Bayes' rule."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np

from gradatim.engine.artifact import write_artifact
from gradatim.engine.ngram import NgramSession
from gradatim.ladder.decision import Decision, fit_decision, negative_log_likelihood, quality
from gradatim.ladder.logistic import log_prior
from gradatim.ladder.rung import Problem
from gradatim.ngram.classes import estimate_classes
from gradatim.text.words import START, WordEncoder
from gradatim.types import Array, Arrays, Candidate

ORDERS = (1, 2, 3)
PRUNE_FROM = 1_000_000  # training words; beyond, what occurs once is dropped from orders 2 and up
SCALES = np.geomspace(0.01, 3.0, 40)
LIKELY = 0.3  # the scale before dev is seen; it counts as one example would
POWERS = (0.0, 0.5, 1.0)  # evidence counts per text, per square root of its words, per word


@dataclass(frozen=True, slots=True)
class Trial:
    """A model of one order and how it does on dev."""

    order: int
    session: NgramSession
    decision: Decision
    quality: float
    loss: float


class NgramRung:
    """Asks which class's language model finds the text least surprising.

    For a multi-label task a label's model is weighed against one of all texts. The order is chosen
    on dev, and so is how far the evidence is to be trusted: words are not independent given the
    class, so plain likelihoods are far too sure.
    """

    name = "ngram"

    def cost_s(self, problem: Problem) -> float:
        """A few passes over the characters, and one per label of a multi-label task."""
        task = problem.corpus.task
        copies = 3 + len(task.labels) * task.multi_label / 3
        return 0.2 + 3e-7 * copies * sum(map(len, problem.corpus.train.texts))

    def fit(self, problem: Problem) -> list[Candidate]:
        """Estimate orders 1 to 3, keep the best on dev and write `ngram.gradatim`."""
        began = time.perf_counter()
        task, train, dev = problem.corpus.task, problem.corpus.train, problem.corpus.dev
        encoder = WordEncoder(pairs=task.pairs)
        arrays = encoder.encode(train.texts, train.pairs).arrays
        dev_arrays = encoder.encode(dev.texts, dev.pairs).arrays
        trials = [_try_order(problem, order, arrays, dev_arrays) for order in ORDERS]
        best = max(trials, key=lambda trial: (trial.quality, -trial.order))
        path = problem.folder / "ngram.gradatim"
        write_artifact(
            path,
            kind="ngram",
            task=task,
            encoder=encoder.settings(),
            members={"model.npz": best.session.to_npz()},
            decision=best.decision.settings(),
        )
        entries = len(best.session.arrays.log_probs)
        notes = (f"order {best.order} (of 1 to {ORDERS[-1]}), {len(best.session.arrays.keys)} n-grams",)
        return [Candidate("ngram", self.name, str(path), time.perf_counter() - began, entries, notes=notes)]


def _try_order(problem: Problem, order: int, arrays: Arrays, dev_arrays: Arrays) -> Trial:
    corpus = problem.corpus
    session, loss = _calibrate(_estimate(problem, order, arrays), dev_arrays, corpus.dev.targets)
    logits = session.run(dev_arrays)["logits"]
    decision = fit_decision(logits, corpus.dev.targets, multi_label=corpus.task.multi_label, tempered=False)
    result = quality(problem.metric, corpus.task, corpus.dev.targets, logits, decision)
    problem.say(f"n-grams up to order {order}: {problem.metric} {result:.4f} on dev")
    return Trial(order, session, decision, result, loss)


def _estimate(problem: Problem, order: int, arrays: Arrays) -> NgramSession:
    """The models of all classes, as they will be read back from the artifact."""
    task, train = problem.corpus.task, problem.corpus.train
    words, rows = arrays["words"], np.repeat(np.arange(len(train)), arrays["lengths"])
    columns = range(len(task.labels))
    if task.multi_label:
        members = [train.targets[rows, column] > 0 for column in columns]
        members.append(np.ones(len(words), dtype=bool))
    else:
        members = [train.targets[rows] == column for column in columns]
    prune = (0, 1) if len(words) > PRUNE_FROM else ()
    model = estimate_classes(words, members, start=START, order=order, prune=prune[:order])
    model = replace(model, prior=log_prior(task, train).astype(np.float32))
    return NgramSession.from_npz(NgramSession(model).to_npz())


def _calibrate(session: NgramSession, arrays: Arrays, targets: Array) -> tuple[NgramSession, float]:
    """The session whose scaling of the evidence makes the targets most likely, and their loss."""
    length = float(np.mean(arrays["lengths"]))
    evidence, tokens = session.evidence(arrays)
    trials = []
    for power in POWERS:
        per_text = evidence / np.maximum(tokens, 1)[:, None] ** power
        for scale in SCALES:
            logits = session.arrays.prior + scale * length**power * per_text
            surprise = np.log(scale / LIKELY) ** 2 / (2 * len(targets))
            trials.append((negative_log_likelihood(logits, targets) + surprise, power, scale * length**power))
    loss, power, scale = min(trials)
    scaling = np.array([scale, power], dtype=np.float32)
    return NgramSession(replace(session.arrays, scaling=scaling)), loss
