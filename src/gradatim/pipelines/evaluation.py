"""What a model achieves on labelled examples, in one pass over them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter

from gradatim.pipelines.classification import TextClassifier
from gradatim.pipelines.metrics import label_f1, scores
from gradatim.types import Array, Examples


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Metrics by name (with `n`, `cut_tokens` and `texts_per_s`), F1 by label, probabilities (n, labels)."""

    metrics: Mapping[str, float]
    label_f1: Mapping[str, float]
    probabilities: Array


def evaluate(classifier: TextClassifier, examples: Examples) -> Evaluation:
    """Classify the examples and compare; `ConfigError` if there are none."""
    start = perf_counter()
    outputs = classifier.outputs(examples.texts, examples.pairs)
    probabilities = classifier.normalise(outputs.logits)
    elapsed_s = perf_counter() - start
    task, targets, thresholds = classifier.task, examples.targets, classifier.thresholds
    by_label = label_f1(targets, probabilities, thresholds) if len(examples) else ()
    return Evaluation(
        {
            "n": len(examples),
            **scores(task, targets, probabilities, thresholds),
            "cut_tokens": outputs.cut_tokens,
            "texts_per_s": len(examples) / elapsed_s,
        },
        dict(zip(task.labels, map(float, by_label), strict=True)),
        probabilities,
    )
