"""Text classification over any encoder and session: the same code in training and in production."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any, NamedTuple, overload

import numpy as np

from gradatim.errors import ArtifactError, ConfigError, DataError
from gradatim.types import Array, Encoder, Session, Task

_CHUNK_TEXTS = 1024
_CHUNK_CHARACTERS = 1 << 20


@dataclass(frozen=True, slots=True)
class Prediction:
    """What was predicted for one text.

    `label` is the most probable label and `score` its probability; `labels` are the labels decided
    on: that one, or for a multi-label task all at or above their threshold (perhaps none).
    `scores` maps the `top_k` most probable labels to probabilities, best first.
    """

    label: str
    score: float
    labels: tuple[str, ...]
    scores: Mapping[str, float]


class Outputs(NamedTuple):
    """Logits (texts, labels), float32, and how many tokens the encoder left out."""

    logits: Array
    cut_tokens: int


class TextClassifier:
    """Labels and probabilities for texts, or for pairs of texts.

    `decision` may hold `temperature`, by which logits are divided, and for a multi-label task
    `thresholds`, one per label (0.5 if absent). A model that reads `either`, pairs as well as texts, is asked
    with what is there. Any number of texts goes through in bounded chunks; their order changes nothing but the
    order of the answers.
    """

    def __init__(
        self,
        encoder: Encoder,
        session: Session,
        task: Task,
        decision: Mapping[str, Any] | None = None,
        *,
        either: bool = False,
    ) -> None:
        decision = decision or {}
        self.encoder, self.session, self.task = encoder, session, task
        self.pairs = None if either else task.pairs
        self.temperature = float(decision.get("temperature", 1.0))
        thresholds = decision.get("thresholds")
        if thresholds is None:
            thresholds = [0.5] * len(task.labels)
        self.thresholds = np.asarray(thresholds, dtype=np.float32)
        if not self.temperature > 0:
            raise ConfigError(f"decision temperature must be above 0, not {self.temperature}")
        if self.thresholds.shape != (len(task.labels),):
            raise ConfigError(
                f"decision thresholds must be {len(task.labels)}, one per label, not {self.thresholds.size}"
            )

    def outputs(self, texts: Sequence[str], pairs: Sequence[str] | None = None) -> Outputs:
        """Logits of the texts, windows of one text pooled, with the count of tokens left out."""
        self._check(texts, pairs)
        parts: list[Array] = []
        cut = 0
        for chunk in portions(zip(texts, pairs or repeat(None), strict=False)):
            encoded = self.encoder.encode(*_columns(chunk))
            rows = self.session.run(encoded.arrays)["logits"]
            if rows.shape[1] != len(self.task.labels):
                raise ArtifactError(
                    f"the model gives {rows.shape[1]} logits but the task has {len(self.task.labels)} labels"
                )
            parts.append(pool_windows(rows, encoded.arrays["lengths"], encoded.owners, encoded.num_texts))
            cut += encoded.cut
        if len(parts) == 1:
            return Outputs(parts[0], cut)
        return Outputs(np.concatenate([np.empty((0, len(self.task.labels)), np.float32), *parts]), cut)

    def logits(self, texts: Sequence[str], pairs: Sequence[str] | None = None) -> Array:
        """Logits (texts, labels), float32, before temperature."""
        return self.outputs(texts, pairs).logits

    def probabilities(self, texts: Sequence[str], pairs: Sequence[str] | None = None) -> Array:
        """Probabilities (texts, labels), float32; rows sum to 1 unless the task is multi-label."""
        return self.normalise(self.logits(texts, pairs))

    def answers(self, texts: Sequence[str], pairs: Sequence[str] | None = None) -> dict[str, Array]:
        """What a metric needs to judge the model: probabilities, thresholds, and how many tokens were left out."""
        logits, cut = self.outputs(texts, pairs)
        decided = {"thresholds": self.thresholds} if self.task.multi_label else {}
        return {"probabilities": self.normalise(logits), "cut_tokens": np.array(cut), **decided}

    def normalise(self, logits: Array) -> Array:
        """Logits to probabilities: temperature, then softmax, or the logistic function if multi-label."""
        scaled = logits / np.float32(self.temperature)
        return sigmoid(scaled) if self.task.multi_label else softmax(scaled)

    @overload  # a str is a sequence of str to the type checker, hence the overlap
    def __call__(  # type: ignore[overload-overlap]
        self, texts: str, pairs: str | None = None, top_k: int | None = 1
    ) -> Prediction: ...

    @overload
    def __call__(
        self, texts: Sequence[str], pairs: Sequence[str] | None = None, top_k: int | None = 1
    ) -> list[Prediction]: ...

    def __call__(
        self, texts: str | Sequence[str], pairs: str | Sequence[str] | None = None, top_k: int | None = 1
    ) -> Prediction | list[Prediction]:
        """Predict one text or many; `top_k` labels are reported with probabilities, None means all."""
        if isinstance(texts, str):
            if pairs is not None and not isinstance(pairs, str):
                raise DataError("one text needs one text as its pair; pass both as str or both as lists")
            return self._predictions(self.probabilities([texts], None if pairs is None else [pairs]), top_k)[
                0
            ]
        if isinstance(pairs, str):
            raise DataError("many texts need as many pairs; pass both as lists or both as str")
        return self._predictions(self.probabilities(texts, pairs), top_k)

    def stream(self, rows: Iterable[tuple[str, str | None]], top_k: int | None = 1) -> Iterator[Prediction]:
        """Predict an endless supply of (text, pair or None), a chunk at a time, in bounded memory."""
        for chunk in portions(rows):
            yield from self._predictions(self.probabilities(*_columns(chunk)), top_k)

    def _predictions(self, probabilities: Array, top_k: int | None) -> list[Prediction]:
        names = self.task.labels
        if top_k is not None and top_k < 1:
            raise ConfigError(f"top_k must be at least 1, or None for all {len(names)} labels, not {top_k}")
        best = np.argsort(-probabilities, axis=1, kind="stable")
        decided = probabilities >= self.thresholds if self.task.multi_label else None
        predictions = []
        for i, (row, order) in enumerate(zip(probabilities.tolist(), best.tolist(), strict=True)):
            labels = order[:1] if decided is None else [j for j in order if decided[i, j]]
            predictions.append(
                Prediction(
                    label=names[order[0]],
                    score=row[order[0]],
                    labels=tuple(names[j] for j in labels),
                    scores={names[j]: row[j] for j in order[:top_k]},
                )
            )
        return predictions

    def _check(self, texts: Sequence[str], pairs: Sequence[str] | None) -> None:
        """Refuse what the model was not trained to read."""
        if self.pairs and pairs is None and len(texts):
            raise DataError(
                "this model reads pairs of texts: give the second text too (pairs=, --pair, --text-pair)"
            )
        if pairs is not None and self.pairs is False:
            raise DataError("this model reads single texts: leave the second text away")
        if pairs is not None and len(pairs) != len(texts):
            raise DataError(f"{len(texts)} texts need as many pairs, not {len(pairs)}")
        for name, column in (("text", texts), ("pair", pairs or ())):
            for i, text in enumerate(column):
                if not isinstance(text, str):
                    raise DataError(
                        f"{name} {i} (counted from 0) is {type(text).__name__}, not str: {text!r:.40}"
                    )


def pool_windows(logits: Array, lengths: Array, owners: Array, num_texts: int) -> Array:
    """Logits (texts, labels) of whole texts: the mean over a text's windows, weighted by window length.

    `logits` (rows, labels); `lengths`, `owners` (rows,), owners ascending with at least one row a text.
    """
    if len(owners) == num_texts:
        return logits
    weights = np.maximum(lengths, 1).astype(np.float32)[:, None]
    starts = np.searchsorted(owners, np.arange(num_texts))
    pooled: Array = np.add.reduceat(logits * weights, starts) / np.add.reduceat(weights, starts)
    return pooled


def softmax(logits: Array) -> Array:
    """Rows of logits to rows of probabilities."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: Array = powers / powers.sum(axis=1, keepdims=True)
    return probabilities


def sigmoid(logits: Array) -> Array:
    """Every logit to its own probability, without overflow."""
    probabilities: Array = np.float32(0.5) * (np.tanh(np.float32(0.5) * logits) + np.float32(1))
    return probabilities


def portions(rows: Iterable[tuple[str, str | None]]) -> Iterator[list[tuple[str, str | None]]]:
    """Cut an iterable into lists that are small in rows and in characters."""
    chunk: list[tuple[str, str | None]] = []
    characters = 0
    for row in rows:
        chunk.append(row)
        characters += len(row[0]) + len(row[1] or "")
        if len(chunk) == _CHUNK_TEXTS or characters >= _CHUNK_CHARACTERS:
            yield chunk
            chunk, characters = [], 0
    if chunk:
        yield chunk


def _columns(chunk: list[tuple[str, str | None]]) -> tuple[list[str], list[str] | None]:
    pairs = [pair for _, pair in chunk if pair is not None]
    return [text for text, _ in chunk], pairs or None
