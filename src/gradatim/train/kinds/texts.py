"""Kinds that say something of a whole text or pair: a class, a number, or which of several fits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from torch import nn

from gradatim.checkpoint.config import Kind, ModelConfig
from gradatim.data import load_corpus
from gradatim.data.answered import CHOICES
from gradatim.data.choices import Choices
from gradatim.data.joined import join_corpora
from gradatim.data.scored import load_scored
from gradatim.data.splits import HELD_OUT
from gradatim.errors import ConfigError
from gradatim.models.inputs import PackedTexts
from gradatim.models.layers import Layers
from gradatim.objectives.choice import Choice
from gradatim.objectives.classification import Classification
from gradatim.objectives.regression import Regression
from gradatim.pipelines.choices import beside
from gradatim.pipelines.classification import pool_windows, sigmoid, softmax
from gradatim.pipelines.correlation import pearson, spearman
from gradatim.pipelines.metrics import default_metric, higher_is_better, score, scores
from gradatim.text.pieces import PieceEncoder
from gradatim.train.build import Materials, Prepared
from gradatim.train.kinds.reading import annotated, encoded, logits, one_source
from gradatim.types import Array, Encoded, Examples


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassificationSettings:
    """kind = "classification": labelled texts or pairs, of one source or several joined, judged by `metric` on dev.

    The metrics are those of `pipelines.metrics`: "matthews" is CoLA's, "f1" MRPC's.

    layers    of a frozen body whose states are pooled, through a BiLSTM of `recurrent_width` if above 0; without it
              all is fine-tuned
    examples  how many to learn from, drawn evenly from all labels; all, if not given
    test      whether to measure on the test split too, once, at the end
    """

    smoothing: float = 0.0
    metric: str | None = None
    layers: Layers | None = None
    recurrent_width: int = 0
    examples: int | None = None
    test: bool = False

    def prepare(self, materials: Materials) -> Prepared:
        data, recipe = materials.data, materials.recipe
        sources = materials.sources()
        if len(sources) > 1 and (data.dev or data.test):
            raise ConfigError("[data] dev and test belong to one source: of several joined each has its own")
        columns = {"text": data.text, "text_pair": data.text_pair, "label": data.label}
        given: dict[str, Any] = {
            **columns, "dev": data.dev, "test": data.test, "seed": recipe.seed, "share": data.share(HELD_OUT)
        }  # fmt: skip
        corpus = join_corpora([load_corpus(source, **given) for source in sources])
        pieces = materials.encoder()
        learned, task = self._some(corpus.train, recipe.seed), corpus.task
        train, dev = (pieces.encode(part.texts, part.pairs) for part in (learned, corpus.dev))
        config = replace(
            _config(materials, "classification", len(task.labels), task.labels),
            layers=self.layers, recurrent_width=self.recurrent_width,
        )  # fmt: skip
        model = materials.build(config)

        def judge(texts: Encoded, targets: Array) -> Mapping[str, float]:
            said = _pooled(logits(model, recipe, texts.arrays), texts)
            return scores(task, targets, sigmoid(said) if task.multi_label else softmax(said))

        last = corpus.test if self.test else None
        if self.test and last is None:
            raise ConfigError("[objective] test: the data has no test split")
        metric = self.metric or default_metric(task)
        uniform = np.full((1, len(task.labels)), 1 / len(task.labels), dtype=np.float32)
        score(metric, task, corpus.dev.targets[:1], uniform)  # refuses what this task does not know
        objective = Classification(PackedTexts(train), learned.targets, smoothing=self.smoothing)
        made = Prepared(
            model, config, objective, None, materials.tokenizer_json, corpus.notes,
            test=(lambda: judge(pieces.encode(last.texts, last.pairs), last.targets)) if last else None,
        )  # fmt: skip
        return made.judged(lambda: judge(dev, corpus.dev.targets), metric, higher=higher_is_better(metric))

    def _some(self, examples: Examples, seed: int) -> Examples:
        """So many, of every label as many as there are or its share, in their order."""
        if self.examples is None or self.examples >= len(examples):
            return examples
        if examples.targets.ndim > 1 or self.examples < 1:
            raise ConfigError("[objective] examples must be at least 1, and each have one label")
        order = np.random.default_rng(seed).permutation(len(examples))
        ranks = np.empty(len(order), dtype=np.int64)  # of each example among those of its label
        for label in np.unique(examples.targets):
            own = order[examples.targets[order] == label]
            ranks[own] = np.arange(len(own))
        return examples.take(np.sort(np.argsort(ranks, kind="stable")[: self.examples]))


@dataclass(frozen=True, slots=True, kw_only=True)
class RegressionSettings:
    """kind = "regression": a number for each text or pair, learned by squared error (STS-B)."""

    metric: Literal["pearson", "spearman"] = "pearson"

    def prepare(self, materials: Materials) -> Prepared:
        data, recipe = materials.data, materials.recipe
        columns = {"text": data.text, "text_pair": data.text_pair, "score": data.label}
        source = one_source(materials, "regression")
        share = data.share(HELD_OUT)
        train, dev, notes = load_scored(source, **columns, dev=data.dev, seed=recipe.seed, share=share)
        pieces = materials.encoder()
        inputs, held = (pieces.encode(part.texts, part.pairs) for part in (train, dev))
        config = _config(materials, "classification", 1)
        model = materials.build(config)
        # A bias moves by the rate at a step: from 0 it would take thousands to the middle of the scale.
        nn.init.constant_(model.get_parameter("head.linear.bias"), float(train.scores.mean()))

        def metrics() -> Mapping[str, float]:
            said = _pooled(logits(model, recipe, held.arrays), held)[:, 0]
            return {"pearson": pearson(dev.scores, said), "spearman": spearman(dev.scores, said)}

        objective = Regression(PackedTexts(inputs), train.scores)
        made = Prepared(model, config, objective, None, materials.tokenizer_json, notes)
        return made.judged(metrics, self.metric)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceSettings:
    """kind = "choice": which of the answers to a question on a context is right (DREAM).

    Each answer is read with its question beside the context, and gets one score (Devlin et al. 2019,
    section 4.4); of a context longer than `max_length` the windows' scores are averaged.
    """

    def prepare(self, materials: Materials) -> Prepared:
        train, dev, note = annotated(materials, CHOICES)
        pieces = materials.encoder()
        held = _read_together(pieces, dev)
        counts, answers = _counts(dev)
        config = _config(materials, "choice", 1)
        model = materials.build(config)

        def metrics() -> Mapping[str, float]:
            said = _pooled(logits(model, materials.recipe, held.arrays), held)[:, 0]
            right = [
                int(own.argmax()) == answer
                for own, answer in zip(np.split(said, np.cumsum(counts)[:-1]), answers, strict=True)
            ]
            return {"accuracy": float(np.mean(right))}

        objective = Choice(PackedTexts(_read_together(pieces, train)), *_counts(train))
        made = Prepared(model, config, objective, None, materials.tokenizer_json, (note,))
        return made.judged(metrics, "accuracy")


def _config(materials: Materials, kind: Kind, num_outputs: int, labels: tuple[str, ...] = ()) -> ModelConfig:
    chosen = materials.settings.pooling
    pooling = (chosen,) if isinstance(chosen, str) else tuple(chosen)
    return ModelConfig(
        kind=kind, body=materials.body, num_outputs=num_outputs, labels=labels, pooling=pooling
    )


def _pooled(rows: Array, texts: Encoded) -> Array:
    """Logits of whole texts from those of their windows."""
    return pool_windows(rows, texts.arrays["lengths"], texts.owners, texts.num_texts)


def _read_together(pieces: PieceEncoder, questions: Sequence[Choices]) -> Encoded:
    """Every choice as a text of its own: the context, and beside it the question with the choice."""
    texts = [question.context for question in questions for _ in question.choices]
    pairs = [beside(question.question, choice) for question in questions for choice in question.choices]
    return encoded(pieces, texts, pairs)


def _counts(questions: Sequence[Choices]) -> tuple[Array, Array]:
    """How many choices each question has, and which is right."""
    counts = np.array([len(question.choices) for question in questions], dtype=np.int64)
    return counts, np.array([question.answer for question in questions], dtype=np.int64)
