"""The lowest rung of questions: which words of both texts are the same, and how rare they are."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gradatim.engine.artifact import write_artifact
from gradatim.engine.overlap import OverlapSession
from gradatim.ladder.answering.spans import decided, questions, span_rows
from gradatim.ladder.rung import Problem
from gradatim.text.overlap import OverlapEncoder
from gradatim.text.words import split_words
from gradatim.types import Array, Candidate

NAME = "overlap"


class SpanOverlapRung:
    """The words among which those of the question weigh most: seldom the answer, but nothing is learned but weights of
    words (Sparck Jones 1972), and, where dev says so, to say nothing.
    """

    name = NAME

    def cost_s(self, problem: Problem) -> float:
        """Next to nothing: a few million characters a second."""
        return cost_s(problem.corpus.train.pairs or ())

    def fit(self, problem: Problem) -> list[Candidate]:
        began = time.perf_counter()
        corpus, encoder = problem.corpus, OverlapEncoder()
        answers = [one.texts[0] for one in questions(corpus.train) if one.answers]
        found = split_words(answers)
        width = max(1, int(np.median(np.bincount(found.rows, minlength=len(answers)))))
        session = OverlapSession(*word_weights(corpus.train.pairs or ()), width)
        rows = span_rows(session, encoder, None, {"longest": width})
        decision = decided(corpus, rows.spans(*rows.logits(corpus.dev), corpus.dev.pairs or ()), width)
        return [overlap_model(problem, session, decision, began, f"answers of {width} words")]


class ChoiceOverlapRung:
    """The choice of which most words, by weight, stand in the context too."""

    name = NAME

    def cost_s(self, problem: Problem) -> float:
        """Next to nothing: a few million characters a second."""
        return cost_s(problem.corpus.train.texts)

    def fit(self, problem: Problem) -> list[Candidate]:
        began = time.perf_counter()
        session = OverlapSession(*word_weights(problem.corpus.train.texts), 0)
        return [overlap_model(problem, session, {}, began, "the share of a choice that its context has too")]


def cost_s(contexts: Sequence[str]) -> float:
    """Of counting the words of texts."""
    return 0.1 + 5e-7 * sum(map(len, contexts))


def word_weights(contexts: Sequence[str]) -> tuple[Array, Array, float]:
    """The words of at least two contexts, ascending, the logarithm of how many times as many contexts there are as have
    each, and the weight of all other words.
    """
    different = list(dict.fromkeys(contexts))
    words = split_words(different)
    pairs = np.unique(np.stack([words.hashes, words.rows.astype(np.uint64)]), axis=1)
    keys, counts = np.unique(pairs[0], return_counts=True)
    several = counts > 1
    return keys[several], np.log((len(different) + 1) / counts[several]), float(np.log(len(different) + 1))


def overlap_model(
    problem: Problem, session: OverlapSession, decision: Mapping[str, Any], began: float, note: str
) -> Candidate:
    """Write `overlap.gradatim` into the rung's folder; the rung began at that time."""
    path = problem.folder / f"{NAME}.gradatim"
    write_artifact(
        path,
        kind="overlap",
        task=problem.corpus.task,
        encoder=OverlapEncoder().settings(),
        members={"model.npz": session.to_npz()},
        decision=decision,
    )
    notes = (f"{len(session.keys):,} words with weights", note)
    return Candidate(NAME, NAME, str(path), time.perf_counter() - began, len(session.keys), notes=notes)
