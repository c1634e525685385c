"""What a model achieves on labelled examples, in one pass over them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from gradatim.data.grids import TableQuestion
from gradatim.errors import ConfigError
from gradatim.pipelines.asked import by_table, encode_asked, judge_asked
from gradatim.pipelines.classification import TextClassifier
from gradatim.pipelines.correlation import pearson, spearman
from gradatim.pipelines.judged import Judged
from gradatim.pipelines.labels import TextClassification
from gradatim.pipelines.matches import by_kind, measure, said_tags, wanted_tags
from gradatim.pipelines.matches import scores as tag_scores
from gradatim.pipelines.metrics import label_f1, scores
from gradatim.pipelines.tables import TableQuestionAnswering
from gradatim.pipelines.tagger import SequenceTagger
from gradatim.progress import watched
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


def evaluate_numbers(
    model: TextClassification, texts: Sequence[str], pairs: Sequence[str] | None, scores: Array
) -> Evaluation:
    """Predict the number of each text or pair and compare: Pearson's and Spearman's correlation."""
    start = perf_counter()
    logits, cut = model.logits(texts, pairs)
    said = logits[:, 0]
    elapsed_s = perf_counter() - start
    found = {"pearson": pearson(scores, said), "spearman": spearman(scores, said)}
    speed = len(texts) / elapsed_s
    return Evaluation(
        {"n": len(texts), **found, "cut_tokens": sum(lost or 0 for lost in cut), "texts_per_s": speed},
        {},
        None,
    )


def evaluate_tables(ask: TableQuestionAnswering, questions: Sequence[TableQuestion]) -> Evaluation:
    """Answer questions about tables, table by table: denotation accuracy, and the share that is answered by a count, a
    sum or an average (`aggregated`); `ConfigError` if there are none.
    """
    encoder, config = ask.reader.grids, ask.reader.grid
    if not questions or encoder is None or config is None:
        raise ConfigError("no question to answer, or a model that reads no tables")
    start = perf_counter()
    found = np.zeros(3, dtype=np.int64)
    tables = by_table(questions)
    for some in watched(tables, len(tables), "answering"):
        encoded, asked = encode_asked(encoder, some)
        found += (*judge_asked(ask.run(encoded), encoded, asked, config, ask.reader.labels), encoded.cut)
    elapsed_s = perf_counter() - start
    right, aggregated, cut = (int(count) for count in found)
    count = len(questions)
    metrics = {"n": count, "accuracy": right / count, "aggregated": aggregated / count}
    return Evaluation({**metrics, "cut_tokens": cut, "texts_per_s": count / elapsed_s}, {}, None)


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
