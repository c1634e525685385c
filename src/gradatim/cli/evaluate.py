"""`gradatim evaluate`: the metrics of a finished model on labelled data."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gradatim.data.textfile import decompressed
from gradatim.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from gradatim.data.parallel import Parallel
    from gradatim.engine.artifact import Artifact
    from gradatim.pipelines.evaluation import Evaluation

LANGUAGE = re.compile(r"[.,-]([a-z]{2})\}?$")  # at the end of a name: test.de, train.{en,de}, multi30k/en-de


def command(
    model: Annotated[Path, typer.Argument(help="A .gradatim file; a folder, if it writes texts from texts.")],
    data: Annotated[str, typer.Argument(help="A file, a catalog name, or a data set id.")],
    targets: Annotated[
        Path | None, typer.Argument(help="What should be written for each line of DATA, a line each.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Metric names to numbers, on stdout.")] = False,
    text: Annotated[str | None, typer.Option(help="Column of the texts.")] = None,
    text_pair: Annotated[
        str | None, typer.Option(help="Column of the second texts, or of what should be written.")
    ] = None,
    label: Annotated[str | None, typer.Option(help="Column of the labels.")] = None,
    split: Annotated[str, typer.Option(help="Which split of the data.")] = "test",
    measure: Annotated[str, typer.Option(help="Of written texts: bleu (with chrF) or rouge.")] = "bleu",
    language: Annotated[
        str | None,
        typer.Option(help="Of the targets, for tokenised BLEU; else as names end, in .de or en-de."),
    ] = None,
    beams: Annotated[int, typer.Option(min=1, help="Texts kept side by side while one is written.")] = 4,
    threads: Annotated[int | None, typer.Option(min=1, help="Cores to use (default: all).")] = None,
) -> None:
    """Measure a finished model on labelled data, or on pairs of which it writes the second texts: data or two files."""
    from gradatim.engine.artifact import read_artifact

    artifact = None if targets is not None or model.is_dir() else read_artifact(model)
    if artifact is None or artifact.task.writes:
        pairs = _pairs(data, targets, split, text, text_pair)
        found = LANGUAGE.search(str(decompressed(targets)) if targets else data)
        language = language or (found[1] if found else None)
        figures = _written(model, pairs, measure, language, beams, threads)
        print(json.dumps(figures, indent=1)) if as_json else _show_written(figures)
        return
    columns = {"text": text, "text_pair": text_pair, "label": label}
    evaluation, notes = _judged(artifact, data, split, threads, columns)
    for note in notes:
        print(note, file=sys.stderr)
    if as_json:
        print(json.dumps(dict(evaluation.metrics), indent=1))
    else:
        _show(evaluation.metrics, evaluation.label_f1)


def _judged(
    artifact: Artifact, data: str, split: str, threads: int | None, columns: Mapping[str, str | None]
) -> tuple[Evaluation, tuple[str, ...]]:
    """What a model that reads achieves on a split of the data, and notes on which."""
    from gradatim.data import (
        load_answered_examples,
        load_chosen_examples,
        load_examples,
        load_tagged_examples,
    )
    from gradatim.pipelines.evaluation import evaluate, evaluate_answers, evaluate_tags
    from gradatim.pipelines.judged import choice_metrics, span_metrics
    from gradatim.pipelines.open import open_artifact, open_tagger
    from gradatim.tasks.open import open_judged

    task = artifact.task
    if task.kind == "tagging":
        examples, notes = load_tagged_examples(data, split, known=task.labels)
        evaluation = evaluate_tags(open_tagger(artifact, threads=threads), examples)
    elif task.kind in ("span", "choice"):
        spans = task.kind == "span"
        examples, notes = (load_answered_examples if spans else load_chosen_examples)(data, split)
        opened = open_judged(artifact, threads=threads)
        evaluation = evaluate_answers(opened, examples, span_metrics if spans else choice_metrics)
    else:
        classifier = open_artifact(artifact, threads=threads)
        examples, notes = load_examples(data, task, **columns, split=split, either=classifier.pairs is None)
        evaluation = evaluate(classifier, examples)
    return evaluation, notes


def _pairs(data: str, targets: Path | None, split: str, text: str | None, text_pair: str | None) -> Parallel:
    """Two files, or a split of the data, which is said."""
    from gradatim.data.corpus import pick
    from gradatim.data.parallel import load_parallel, read_pair

    if targets is not None:
        return read_pair(Path(data), targets)
    splits, notes = load_parallel(data, text=text, text_pair=text_pair)
    chosen, note = pick(data, splits, split)
    print(*notes, note, sep="\n", file=sys.stderr)
    return splits[chosen]


def _written(
    model: Path,
    pairs: Parallel,
    measure: str,
    language: str | None,
    beams: int,
    threads: int | None,
) -> dict[str, Any]:
    """Scores of what the model writes for the sources, and how fast it does."""
    from gradatim.decode.search import Search
    from gradatim.pipelines.overlap import MEASURES, overlap, signatures
    from gradatim.tasks.open import open_writer

    if measure not in MEASURES:
        raise ConfigError(
            f"--measure is {' or '.join(MEASURES)}, not '{measure}'{did_you_mean(measure, MEASURES)}"
        )
    writer = open_writer(model, threads)
    began = time.perf_counter()
    written = writer(pairs.sources, Search(end=writer.end, max_length=256, beams=beams))
    spent = time.perf_counter() - began
    figures: dict[str, Any] = dict(overlap(written, pairs.targets, measure, language=language))
    if measure != "rouge":
        figures["signatures"] = signatures()
    return {**figures, "texts": len(written), "texts_per_s": len(written) / spent}


def _show_written(figures: Mapping[str, Any]) -> None:
    for name, figure in figures.items():
        if isinstance(figure, float):
            print(f"{name:24} {figure:.2f}")
    for signature in figures.get("signatures", {}).values():
        print(signature)


def _show(metrics: Mapping[str, float], label_f1: Mapping[str, float]) -> None:
    """Metrics, then F1 by label, worst first."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console()
    for title, figures in (("metric", metrics), ("F1 by label", dict(sorted(label_f1.items(), key=_value)))):
        if not figures:
            continue
        table = Table(title, "", box=box.SIMPLE_HEAD)
        table.columns[1].justify = "right"
        for name, figure in figures.items():
            whole = float(figure).is_integer() or name == "texts_per_s"
            table.add_row(name, f"{figure:,.0f}" if whole and name not in label_f1 else f"{figure:.4f}")
        console.print(table)


def _value(item: tuple[str, float]) -> float:
    return item[1]
