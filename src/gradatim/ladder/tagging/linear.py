"""The second rung of tagging: a linear chain over hashed features of words and their neighbours."""

from __future__ import annotations

import time

import numpy as np

from gradatim.engine.contexts import ContextSession
from gradatim.engine.keys import places
from gradatim.ladder.rung import Problem
from gradatim.ladder.tagging.words import features, tag_ids, word_model
from gradatim.models.inputs import PackedTexts
from gradatim.models.linear import LinearTagger
from gradatim.objectives.chain import ChainTagging
from gradatim.text.contexts import ContextEncoder
from gradatim.train.loop import train
from gradatim.train.recipe import Recipe
from gradatim.types import Array, Candidate, Encoded
from gradatim.wording import count

MAX_FEATURES = 1_000_000
SEEN, FEWEST, MOST = 120_000, 3.0, 20.0  # sentences seen in all, within so many epochs
BATCH, RATE, DROPOUT = 128, 0.05, 0.2
SMALL = 0.05  # a feature whose weights are all nearer to zero is left out


class TagLinearRung:
    """A conditional random field (Lafferty et al. 2001), its features dropped out at random while it learns."""

    name = "linear"
    can_shorten = True

    def cost_s(self, problem: Problem) -> float:
        """Measured on one core: by words, features and tags."""
        words = sum(text.count(" ") + 1 for text in problem.corpus.train.texts)
        return 1.0 + 1.2e-5 * words * (
            1 + problem.settings.planned(self.epochs(problem)) * (0.5 + len(problem.corpus.task.labels) / 20)
        )

    def epochs(self, problem: Problem) -> float:
        return min(MOST, max(FEWEST, SEEN / max(1, len(problem.corpus.train))))

    def fit(self, problem: Problem) -> list[Candidate]:
        """Learn the weights and write `linear.gradatim`."""
        began = time.perf_counter()
        task, encoder = problem.corpus.task, ContextEncoder()
        read = features(encoder, problem.corpus.train)
        keys = frequent(read["keys"], MAX_FEATURES)
        numbers = {"ids": numbered(read["keys"], keys), "lengths": read["lengths"]}
        rows = np.arange(len(problem.corpus.train))
        objective = ChainTagging(
            PackedTexts(Encoded(numbers, rows, len(rows))), tag_ids(task, problem.corpus.train)
        )
        model, epochs = LinearTagger(len(keys), len(task.labels), dropout=DROPOUT), self._affordable(problem)
        recipe = Recipe(
            epochs=epochs, batch_size=BATCH, rate=RATE, weight_decay=0.0, average=0.2, seed=problem.seed, clip=5.0,
            precision="fp32",
        )  # fmt: skip
        train(model, objective, recipe, progress=problem.progress)
        weights, bias, transitions = (
            parameter.detach().numpy()
            for parameter in (model.weights.weight[1:], model.bias, model.chain.transitions)
        )
        kept = np.abs(weights).max(axis=1) >= SMALL
        session = ContextSession(keys[kept], weights[kept], bias, transitions)
        note = f"{count(kept.sum(), 'feature')}, {count(epochs, 'epoch', '.3g')}"
        return [word_model(problem, self.name, encoder, session, began, [note])]

    def _affordable(self, problem: Problem) -> float:
        """The epochs that fit into the rung's training time; half of one at least."""
        if problem.settings.epochs is not None:
            return float(problem.settings.epochs)
        wanted = self.epochs(problem)
        if problem.limit_s is None:
            return wanted
        return max(0.5, wanted * min(1.0, problem.limit_s / self.cost_s(problem)))


def frequent(keys: Array, most: int) -> Array:
    """The features that at least two words have, ascending; the most frequent of them, if too many."""
    found, counts = [], []
    for column in keys.T:  # no two columns share a key
        names, number = np.unique(column, return_counts=True)
        found.append(names[number > 1])
        counts.append(number[number > 1])
    names, number = np.concatenate(found), np.concatenate(counts)
    kept = np.argsort(-number, kind="stable")[:most]
    result: Array = np.sort(names[kept])
    return result


def numbered(keys: Array, known: Array) -> Array:
    """The place of each key among the known ones, counted from 1; 0 where it is none of them."""
    found = places(known, keys) + 1
    return np.where(found <= len(known), found, 0).astype(np.int32)
