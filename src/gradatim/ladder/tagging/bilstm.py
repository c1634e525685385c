"""The third rung of tagging: a bidirectional LSTM over word pieces, trained from scratch."""

from __future__ import annotations

import time

from gradatim.ladder.rung import Problem
from gradatim.ladder.rungs.bilstm import HIDDEN, SLOWER, WIDTH, lstm_body
from gradatim.ladder.tagging.lab import TaggingLab
from gradatim.ladder.vectors import start_from
from gradatim.models.classifier import Tagger
from gradatim.train.cost import dense_parameters
from gradatim.train.loop import train
from gradatim.train.recipe import Recipe
from gradatim.types import Candidate
from gradatim.wording import count

EPOCHS = 10


class TagLstmRung:
    """What the training tags alone can teach a sequence model, its vectors started at random or from static ones."""

    name = "bilstm"
    can_shorten = True

    def cost_s(self, problem: Problem) -> float:
        lab = TaggingLab.of(problem)
        epochs = problem.settings.planned(EPOCHS)
        return 1.0 + SLOWER * lab.seconds(dense_parameters(lstm_body(lab.config.vocab_size)), epochs)

    def fit(self, problem: Problem) -> list[Candidate]:
        began = time.perf_counter()
        lab = TaggingLab.of(problem)
        notes, width, vectors = start_from(problem.settings.vectors, lab.tokenizer, WIDTH)
        body = lstm_body(lab.config.vocab_size, width, vectors, marks=lab.marks)
        model = Tagger(body, 2 * HIDDEN, len(problem.corpus.task.labels), dropout=0.3)
        epochs = lab.affordable(EPOCHS, SLOWER * lab.seconds(dense_parameters(model), 1))
        recipe = Recipe(
            epochs=epochs, rate=2e-3, weight_decay=1e-4, average=0.2, seed=problem.seed, precision="fp32"
        )
        train(model, lab.learned, recipe, progress=problem.progress)
        notes = (*notes, f"{count(epochs, 'epoch', '.3g')}")
        return [lab.export(model, self.name, self.name, time.perf_counter() - began, notes=notes)]
