"""Text classification as `transformers.pipeline` has it: texts or pairs in, labels with scores out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gradatim.errors import ConfigError, DataError, did_you_mean
from gradatim.pipelines.calls import all_read, at_least, text_of, told
from gradatim.pipelines.classification import pool_windows, sigmoid, softmax
from gradatim.pipelines.reader import Reader, ReadingPipeline
from gradatim.types import Array

FUNCTIONS = ("sigmoid", "softmax", "none")
UNSET = object()


class RowPipeline(ReadingPipeline):
    """A task over logits of whole texts."""

    def logits(
        self, texts: Sequence[str], pairs: Sequence[str] | None = None, **reading: Any
    ) -> tuple[Array, list[int | None]]:
        """Logits (texts, labels), those of windows pooled, and of each text how many tokens were left out."""
        if self.reader.pairs is not None and self.reader.pairs != (pairs is not None):
            wanted = (
                'pairs of texts, {"text": ..., "text_pair": ...}' if self.reader.pairs else "single texts"
            )
            raise DataError(f"this model reads {wanted}")
        encoded, cut = self.read(texts, pairs, **reading)
        rows = self.run(encoded)["logits"]
        pooled = pool_windows(rows, encoded.arrays["lengths"], encoded.owners, encoded.num_texts)
        return pooled, cut


class TextClassification(RowPipeline):
    """Labels of texts, or of pairs `{"text": ..., "text_pair": ...}`: `{"label": ..., "score": ...}`.

    Without `top_k` the likeliest label, in a list where the input is a single string; with it a list of that many
    labels, the likeliest first, None for all. `function_to_apply` is "sigmoid", "softmax" or "none"; unless given, it
    is what the model was made for.
    """

    def __call__(self, inputs: Any, **options: Any) -> Any:
        found = super().__call__(inputs, **options)
        return [found] if isinstance(inputs, str) and "top_k" not in options else found

    def answers(
        self,
        inputs: Sequence[Any],
        *,
        top_k: Any = UNSET,
        return_all_scores: bool | None = None,
        function_to_apply: str | None = None,
        truncation: Any = None,
        max_length: int | None = None,
    ) -> list[Any]:
        """An answer for each text or pair."""
        function = _function(function_to_apply, self.reader)
        unset = top_k is UNSET or top_k == ""  # as transformers has it
        every = top_k is None or (unset and return_all_scores)
        count = None if every else 1 if unset else at_least("top_k", top_k, 1)
        answers: list[Any] = [None] * len(inputs)
        for rows, texts, pairs in _sides(inputs):
            logits, cut = self.logits(texts, pairs, truncation=truncation, max_length=max_length)
            scores = function(logits / np.float32(self.reader.temperature))
            for row, values, lost in zip(rows, scores, cut, strict=True):
                found = self._ranked(values, count, in_order=bool(unset and every))
                answers[row] = told(found[0] if unset and not every else found, lost)
        return answers

    def _ranked(self, scores: Array, count: int | None, *, in_order: bool) -> list[dict[str, Any]]:
        order = np.argsort(-scores, kind="stable")[:count]
        chosen = range(len(scores)) if in_order else order.tolist()
        return [{"label": self.reader.labels[i], "score": float(scores[i])} for i in chosen]


def _function(name: str | None, reader: Reader) -> Any:
    """What makes scores of logits."""
    if name is None:
        several = reader.problem == "multi_label_classification" or len(reader.labels) == 1
        name = "none" if reader.problem == "regression" else "sigmoid" if several else "softmax"
    name = str(name).lower().rpartition(".")[2]
    if name not in FUNCTIONS:
        raise ConfigError(
            f"function_to_apply is {', '.join(FUNCTIONS)}, not '{name}'{did_you_mean(name, FUNCTIONS)}"
        )
    return {"sigmoid": sigmoid, "softmax": softmax, "none": lambda logits: logits}[name]


def _sides(inputs: Sequence[Any]) -> list[tuple[list[int], list[str], list[str] | None]]:
    """The single texts among the inputs and the pairs, each with the places where they stand."""
    split = all_read(inputs, _pair)
    alone = [row for row, (_, pair) in enumerate(split) if pair is None]
    paired = [row for row, (_, pair) in enumerate(split) if pair is not None]
    found: list[tuple[list[int], list[str], list[str] | None]] = []
    if alone:
        found.append((alone, [split[row][0] for row in alone], None))
    if paired:
        found.append((paired, [split[row][0] for row in paired], [str(split[row][1]) for row in paired]))
    return found


def _pair(value: Any) -> tuple[str, str | None]:
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], list) and len(value[0]) == 2:
        value = {"text": value[0][0], "text_pair": value[0][1]}  # [[[text, pair]]], the oldest way
    if isinstance(value, Mapping):
        if "text" not in value or not set(value) <= {"text", "text_pair"}:
            raise DataError(f'a pair is {{"text": ..., "text_pair": ...}}, not a dictionary of {list(value)}')
        pair = value.get("text_pair")
        return text_of(value["text"]), None if pair is None else text_of(pair, "text_pair")
    if isinstance(value, list):
        raise DataError('a pair of texts is given as {"text": ..., "text_pair": ...}, not as a list')
    return text_of(value), None
