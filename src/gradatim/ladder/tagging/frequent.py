"""The lowest rung of tagging: the tag that each word has most often, whatever stands around it."""

from __future__ import annotations

import time

import numpy as np

from gradatim.engine.contexts import ContextSession
from gradatim.ladder.rung import Problem
from gradatim.ladder.tagging.words import features, tag_ids, word_model
from gradatim.text.contexts import ContextEncoder, ContextSettings
from gradatim.types import Candidate
from gradatim.wording import count


class FrequentRung:
    """Scores of a word are the frequencies of its tags; of a word never seen, those of words seen once."""

    name = "most-frequent"

    def cost_s(self, problem: Problem) -> float:
        """Next to nothing: a few million characters a second."""
        return 0.1 + 5e-7 * sum(map(len, problem.corpus.train.texts))

    def fit(self, problem: Problem) -> list[Candidate]:
        """Count the tags of each word and write `most-frequent.gradatim`."""
        began = time.perf_counter()
        task, train = problem.corpus.task, problem.corpus.train
        encoder = ContextEncoder(ContextSettings(alone=True))
        tags, num_tags = tag_ids(task, train), len(task.labels)
        keys, words = np.unique(features(encoder, train)["keys"][:, 0], return_inverse=True)
        counts = np.bincount(words * num_tags + tags, minlength=len(keys) * num_tags).reshape(-1, num_tags)
        unknown = 1 + counts[counts.sum(axis=1) == 1].sum(axis=0)
        bias = np.log(unknown / unknown.sum())
        prior = unknown / unknown.sum()  # weighs as much as one word, for a tag that a word has never had
        known = np.log((counts + prior) / (counts.sum(axis=1, keepdims=True) + 1))
        session = ContextSession(keys, known - bias, bias, np.zeros((0, num_tags)))
        note = f"{count(len(keys), 'word')}; one never seen is {task.labels[int(bias.argmax())]}"
        return [word_model(problem, self.name, encoder, session, began, [note])]
