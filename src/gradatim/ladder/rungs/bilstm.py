"""The fifth rung: a bidirectional LSTM trained from scratch."""

from __future__ import annotations

import time
from collections.abc import Mapping

from torch import Tensor

from gradatim.ladder.lab import Lab
from gradatim.ladder.rung import Problem
from gradatim.ladder.vectors import start_from
from gradatim.models.classifier import Classifier
from gradatim.models.recurrent import RecurrentBackbone, RecurrentConfig
from gradatim.objectives.classification import Classification
from gradatim.train.cost import dense_parameters
from gradatim.train.loop import train
from gradatim.train.recipe import Recipe
from gradatim.types import Candidate

WIDTH = 128
HIDDEN = 150
EPOCHS = 6
SLOWER = 3.0  # steps in time cannot be batched: this much slower than a matrix product of equal work


def build_bilstm(
    vocab_size: int, num_labels: int, width: int = WIDTH, vectors: Tensor | None = None
) -> Classifier:
    """`lstm_body`, maximum and mean, linear."""
    body = lstm_body(vocab_size, width, vectors)
    return Classifier(body, 2 * HIDDEN, num_labels, pooling=("max", "mean"), dropout=0.3)


def lstm_body(
    vocab_size: int,
    width: int = WIDTH,
    vectors: Tensor | None = None,
    *,
    marks: Mapping[str, int] | None = None,
) -> RecurrentBackbone:
    """Embedding (from `vectors` (vocabulary, width) if given, with what `marks` tell) and BiLSTM."""
    body = RecurrentConfig(
        vocab_size=vocab_size, width=width, hidden_width=HIDDEN, bidirectional=True, dropout=0.3, locked=False,
        init=0.17, marks=marks or {},
    ).build()  # fmt: skip
    if vectors is not None:
        body.embedding.words.weight.data.copy_(vectors)
    return body


class BiLstmRung:
    """What the training labels alone can teach a sequence model."""

    name = "bilstm"
    can_shorten = True

    def cost_s(self, problem: Problem) -> float:
        lab = Lab.of(problem)
        model = build_bilstm(lab.config.vocab_size, len(problem.corpus.task.labels))
        return 1.0 + SLOWER * lab.seconds(dense_parameters(model), problem.settings.planned(EPOCHS))

    def fit(self, problem: Problem) -> list[Candidate]:
        began = time.perf_counter()
        lab = Lab.of(problem)
        notes, width, vectors = start_from(problem.settings.vectors, lab.tokenizer, WIDTH)
        vocab_size, num_labels = lab.config.vocab_size, len(problem.corpus.task.labels)
        model = build_bilstm(vocab_size, num_labels, width, vectors)
        epochs = lab.affordable(EPOCHS, SLOWER * lab.seconds(dense_parameters(model), 1))
        recipe = Recipe(epochs=epochs, rate=2e-3, weight_decay=1e-4, seed=problem.seed, precision="fp32")
        objective = Classification(lab.texts, problem.corpus.train.targets)
        train(model, objective, recipe, progress=problem.progress)
        return [lab.export(model, "bilstm", self.name, time.perf_counter() - began, notes=notes)]
