"""What a model achieves on labelled examples, in one pass over them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import perf_counter

from gradatim.pipelines.classification import TextClassifier
from gradatim.pipelines.judged import Judged
from gradatim.pipelines.matches import by_kind, measure, said_tags, wanted_tags
from gradatim.pipelines.matches import scores as tag_scores
from gradatim.pipelines.metrics import label_f1, scores
from gradatim.pipelines.tagger import SequenceTagger
from gradatim.types import Array, Arrays, Examples


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Metrics by name (with `n`, `cut_tokens` and `texts_per_s`), F1 by label; of labels probabilities (n, labels)."""

    metrics: Mapping[str, float]
    label_f1: Mapping[str, float]
    probabilities: Array | None


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


def evaluate_answers(
    model: Judged, examples: Examples, metrics: Callable[[Examples, Arrays], Mapping[str, float]]
) -> Evaluation:
    """Answer the questions of examples and compare."""
    start = perf_counter()
    answers = model.answers(examples.texts, examples.pairs)
    elapsed_s = perf_counter() - start
    cut, speed = int(answers["cut_tokens"]), len(examples) / elapsed_s
    found = {"n": len(examples), **metrics(examples, answers), "cut_tokens": cut, "texts_per_s": speed}
    return Evaluation(found, {}, None)


def evaluate_tags(tagger: SequenceTagger, examples: Examples) -> Evaluation:
    """Tag the words of examples and compare; F1 by kind of entity, or by tag where tags mark none."""
    start = perf_counter()
    answers = tagger.answers(examples.texts, examples.pairs)
    elapsed_s = perf_counter() - start
    said, wanted = said_tags(tagger.task, answers["tags"], answers["sizes"]), wanted_tags(examples)
    kinds = by_kind(said, wanted, entities=tagger.task.marks_entities)
    return Evaluation(
        {
            "n": len(examples),
            **tag_scores(tagger.task, said, wanted),
            "cut_tokens": int(answers["cut_tokens"]),
            "texts_per_s": len(examples) / elapsed_s,
        },
        {kind: float(measure("f1", summed)) for kind, summed in kinds.items()},
        None,
    )
