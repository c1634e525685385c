"""Zero-shot classification: labels as hypotheses that a text entails or not (Yin et al. 2019)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gradatim.errors import ConfigError, DataError
from gradatim.pipelines.calls import text_of, told
from gradatim.pipelines.classification import softmax
from gradatim.pipelines.labels import RowPipeline
from gradatim.pipelines.reader import Reader
from gradatim.types import Array

TEMPLATE = "This example is {}."


class ZeroShotClassification(RowPipeline):
    """Which of any labels a text has, from a model of inference: `{"sequence", "labels", "scores"}`, best first.

    A label is put into `hypothesis_template`; its score is the softmax over the labels of how much the text entails
    it, or, with `multi_label` or a single label, of entailment against contradiction.
    """

    def __init__(self, reader: Reader, **options: Any) -> None:
        entails = [i for i, label in enumerate(reader.labels) if label.lower().startswith("entail")]
        self.entails = entails[-1] if entails else len(reader.labels) - 1
        self.contradicts = len(reader.labels) - 1 if self.entails == 0 else 0
        if len(reader.labels) < 2 or reader.pairs is False:
            raise ConfigError(
                "zero-shot classification needs a model that reads pairs, with labels for entailment and contradiction"
            )
        super().__init__(reader, **options)

    def __call__(self, inputs: Any, candidate_labels: Any = None, **options: Any) -> Any:
        """The labels may stand behind the texts."""
        if candidate_labels is not None:
            options["candidate_labels"] = candidate_labels
        return super().__call__(inputs, **options)

    def answers(
        self,
        inputs: Sequence[Any],
        *,
        candidate_labels: str | Sequence[str] = (),
        hypothesis_template: str = TEMPLATE,
        multi_label: bool = False,
        multi_class: bool | None = None,
        truncation: Any = None,
        max_length: int | None = None,
    ) -> list[Any]:
        """A dictionary for each text."""
        labels, hypotheses = _hypotheses(candidate_labels, hypothesis_template)
        each = multi_label if multi_class is None else multi_class
        texts = [text_of(value, "a sequence") for value in inputs]
        logits, cuts = self.logits(
            [text for text in texts for _ in labels], hypotheses * len(texts), truncation=truncation,
            max_length=max_length,
        )  # fmt: skip
        answers = []
        for row, text in enumerate(texts):
            mine = slice(row * len(labels), (row + 1) * len(labels))
            scores = self._scores(logits[mine], each or len(labels) == 1)
            order = np.argsort(scores, kind="stable")[::-1].tolist()
            found = {
                "sequence": text,
                "labels": [labels[i] for i in order],
                "scores": [float(scores[i]) for i in order],
            }
            cut = [lost for lost in cuts[mine] if lost is not None]
            answers.append(told(found, max(cut) if cut else None))
        return answers

    def _scores(self, logits: Array, each: bool) -> Array:
        each_own = softmax(logits[:, [self.contradicts, self.entails]])[:, 1]
        scores: Array = each_own if each else softmax(logits[None, :, self.entails])[0]
        return scores


def _hypotheses(labels: Any, template: str) -> tuple[list[str], list[str]]:
    """The labels, and what is claimed of a text by each."""
    if isinstance(labels, str):
        labels = [label.strip() for label in labels.split(",")]
    labels = [text_of(label, "a label") for label in labels if label]
    if not labels:
        raise DataError("candidate_labels are needed: a list of at least one label, or one text with commas")
    try:
        hypotheses = [template.format(label) for label in labels]
    except (IndexError, KeyError, ValueError) as error:
        raise ConfigError(f"hypothesis_template '{template}' cannot be filled: {error!r}") from error
    if hypotheses[0] == template:
        raise ConfigError(f"hypothesis_template '{template}' has no {{}} where the label should go")
    return labels, hypotheses
