"""The fourth rung of tagging: a pretrained encoder as it is, whose last four layers a BiLSTM reads."""

from __future__ import annotations

import time

from gradatim.ladder.rung import Problem
from gradatim.ladder.rungs.bilstm import SLOWER
from gradatim.ladder.tagging.lab import TaggingLab
from gradatim.models.classifier import Tagger
from gradatim.models.layers import FEWEST, FrozenReader, Layers
from gradatim.train.cost import dense_parameters
from gradatim.train.loop import train
from gradatim.train.recipe import Recipe
from gradatim.types import Candidate
from gradatim.wording import count

LAST_FOUR: Layers = "concatenation of last four"
WIDTH = 128  # of the LSTM in each direction
EPOCHS = 5


class TagFrozenRung:
    """The feature-based use of an encoder (Devlin et al. 2019, section 5.3); of a shallow one the last layer alone."""

    name = "frozen"
    can_shorten = True

    def model(self, lab: TaggingLab) -> Tagger:
        """The encoder and what reads it."""
        body = lab.bert()
        depth, width = body.config.num_layers, body.config.output_width
        layers: Layers = LAST_FOUR if depth >= FEWEST[LAST_FOUR] else "last"
        reader = FrozenReader(body, layers, depth, width, recurrent_width=WIDTH)
        body.embedding.marks.silence()  # as it will not learn them
        return Tagger(reader, reader.output_width, len(lab.corpus.task.labels))

    def epoch_s(self, lab: TaggingLab, model: Tagger) -> float:
        """The encoder reads the texts anew every time."""
        reads = lab.seconds(lab.parameters, 1, forward_only=True)
        return reads + SLOWER * lab.seconds(dense_parameters(model) - lab.parameters, 1)

    def cost_s(self, problem: Problem) -> float:
        lab = TaggingLab.of(problem)
        return problem.settings.planned(EPOCHS) * self.epoch_s(lab, self.model(lab))

    def fit(self, problem: Problem) -> list[Candidate]:
        began = time.perf_counter()
        lab = TaggingLab.of(problem)
        model = self.model(lab)
        epochs = lab.affordable(EPOCHS, self.epoch_s(lab, model))
        recipe = Recipe(
            epochs=epochs, rate=2e-3, weight_decay=1e-4, average=0.2, seed=problem.seed,
            precision=problem.settings.precision,
        )  # fmt: skip
        train(model, lab.learned, recipe, progress=problem.progress)
        notes = (f"{count(epochs, 'epoch', '.3g')}",)
        return [lab.export(model, self.name, self.name, time.perf_counter() - began, notes=notes)]
