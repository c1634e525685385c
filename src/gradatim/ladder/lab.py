"""What the rungs for labels on one encoder share: tokenised texts, frozen features, classifiers, export."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer

from gradatim.engine.atomic import atomic_file
from gradatim.ladder.decision import fit_decision, negative_log_likelihood, quality
from gradatim.ladder.encoder import EncoderLab
from gradatim.ladder.logistic import Regressions, log_prior
from gradatim.ladder.rung import Problem
from gradatim.models.backbone import Backbone
from gradatim.models.classifier import Classifier
from gradatim.models.inputs import PackedTexts
from gradatim.models.recurrent import RecurrentBackbone
from gradatim.models.session import TorchSession
from gradatim.nn.pooling import Pooling
from gradatim.pipelines.classification import pool_windows
from gradatim.types import Array, Encoded, Examples

STRENGTHS = (0.1, 1.0, 10.0)
FEATURES = "features.npz"
MASKS = ("[MASK]", "<mask>", "[UNK]", "<unk>")  # what an encoder reads as a hidden word
POOLINGS: tuple[Pooling, ...] = ("mean", "first")  # what the frozen rung offers


class Lab(EncoderLab):
    """With labelled texts."""

    def __init__(self, problem: Problem, encoder: str, shared: Path) -> None:
        super().__init__(problem, encoder, shared)
        known = Tokenizer.from_str(self.tokenizer).token_to_id
        self.mask = next((name for name in MASKS if known(name) is not None), "")
        self._probes: dict[Pooling, tuple[Array, Array, float]] = {}

    @functools.cached_property
    def train(self) -> Encoded:
        return self.encode(self.corpus.train)

    @functools.cached_property
    def dev(self) -> Encoded:
        return self.encode(self.corpus.dev)

    @functools.cached_property
    def texts(self) -> PackedTexts:
        return PackedTexts(self.train)

    def encode(self, examples: Examples) -> Encoded:
        return self.pieces.encode(examples.texts, examples.pairs)

    def logits(self, model: Classifier, encoded: Encoded) -> Array:
        """(texts, labels), windows pooled, at the precision of training."""
        return self._pooled(model, encoded, "logits")

    def vectors(self, model: Classifier, encoded: Encoded) -> Array:
        """(texts, width), what the head reads, likewise."""
        return self._pooled(model, encoded, "features")

    def _pooled(self, model: Classifier, encoded: Encoded, name: str) -> Array:
        rows = TorchSession(model, bf16=self.bf16).run(encoded.arrays)[name]
        return pool_windows(rows, encoded.arrays["lengths"], encoded.owners, encoded.num_texts)

    def features(self, pooling: Pooling) -> tuple[Array, Array]:
        """Frozen encoder vectors (texts, width) of train and dev; kept on disk for a resumed climb."""
        path = self.shared / FEATURES
        if not path.is_file():
            arrays = {
                f"{split}_{how}": vectors
                for split, encoded in (("train", self.train), ("dev", self.dev))
                for how, vectors in self._encode_frozen(encoded).items()
            }
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_file(path) as handle:
                np.savez(handle, allow_pickle=False, **arrays)
        with np.load(path, allow_pickle=False) as stored:
            return stored[f"train_{pooling}"], stored[f"dev_{pooling}"]

    def _encode_frozen(self, encoded: Encoded) -> dict[Pooling, Array]:
        """One pass of the pretrained encoder, pooled in every way."""
        body = self.bert()
        vectors = self.vectors(Classifier(body, body.config.width, 1, pooling=POOLINGS), encoded)
        return dict(zip(POOLINGS, np.split(vectors, len(POOLINGS), axis=1), strict=True))

    def probe(self, pooling: Pooling) -> tuple[Array, Array, float]:
        """Logistic regression on frozen vectors, as `regression` has it."""
        if pooling not in self._probes:
            self._probes[pooling] = self.regression(*self.features(pooling))
        return self._probes[pooling]

    def regression(self, train: Array, dev: Array) -> tuple[Array, Array, float]:
        """Logistic regression on vectors (texts, width): weights (width, labels), bias and score, the best on dev.

        Of strengths that are right equally often, which is common where dev is small, the one that makes dev likeliest.
        """
        centre, scale = train.mean(0), train.std(0) + 1e-6
        task, prior = self.corpus.task, log_prior(self.corpus.task, self.corpus.train)
        model = Regressions(task, (train - centre) / scale, self.corpus.train.targets, prior, bayes=False)
        trials = []
        for strength in STRENGTHS:
            weights, bias = model.fit(strength / train.shape[1])
            weights = weights / scale[:, None]
            bias = bias - centre @ weights
            score, unlikely = self.score(dev @ weights + bias)
            trials.append((score, -unlikely, -strength, weights, bias))
        best = max(trials, key=lambda trial: trial[:3])
        return best[3], best[4], best[0]

    def score(self, dev_logits: Array) -> tuple[float, float]:
        """The climb's metric for logits on dev, after fitting temperature and thresholds there, and nats per text."""
        task, targets = self.corpus.task, self.corpus.dev.targets
        decision = fit_decision(dev_logits, targets, multi_label=task.multi_label)
        unlikely = negative_log_likelihood(dev_logits / np.float32(decision.temperature), targets)
        return quality(self.problem.metric, task, targets, dev_logits, decision), unlikely

    def classifier(
        self, body: Backbone | RecurrentBackbone, *pooling: Pooling, probed: bool = True
    ) -> Classifier:
        """A classifier on `body`, pooled in these ways; of a single one the head may start from the frozen probe."""
        width, labels = body.config.output_width, len(self.corpus.task.labels)
        model = Classifier(body, width, labels, pooling=pooling)
        if probed:
            set_head(model, *self.probe(*pooling)[:2])
        return model

    def decision(self, model: Classifier) -> Mapping[str, Any]:
        """Temperature and thresholds, fitted on dev."""
        logits, several = self.logits(model, self.dev), self.corpus.task.multi_label
        return fit_decision(logits, self.corpus.dev.targets, multi_label=several).settings()


def set_head(model: Classifier, weights: Array, bias: Array) -> None:
    """Give a classifier the weights (width, labels) and bias of a regression on its vectors."""
    with torch.no_grad():
        model.head.linear.weight.copy_(torch.from_numpy(np.asarray(weights.T, dtype=np.float32)))
        model.head.linear.bias.copy_(torch.from_numpy(np.asarray(bias, dtype=np.float32)))
