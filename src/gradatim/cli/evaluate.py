"""`gradatim evaluate`: the metrics of a finished model on labelled data."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer


def command(
    model: Annotated[Path, typer.Argument(help="A .gradatim file.")],
    data: Annotated[str, typer.Argument(help="A file, a catalog name, or a data set id.")],
    as_json: Annotated[bool, typer.Option("--json", help="Metric names to numbers, on stdout.")] = False,
    text: Annotated[str | None, typer.Option(help="Column of the texts.")] = None,
    text_pair: Annotated[str | None, typer.Option(help="Column of the second texts.")] = None,
    label: Annotated[str | None, typer.Option(help="Column of the labels.")] = None,
    split: Annotated[str, typer.Option(help="Which split of the data.")] = "test",
    threads: Annotated[int | None, typer.Option(min=1, help="Cores to use (default: all).")] = None,
) -> None:
    """Measure a finished model on labelled data."""
    from gradatim.data import load_examples
    from gradatim.pipelines.evaluation import evaluate
    from gradatim.pipelines.open import load

    classifier = load(model, threads=threads)
    examples, notes = load_examples(
        data, classifier.task, text=text, text_pair=text_pair, label=label, split=split
    )
    for note in notes:
        print(note, file=sys.stderr)
    evaluation = evaluate(classifier, examples)
    if as_json:
        print(json.dumps(dict(evaluation.metrics), indent=1))
    else:
        _show(evaluation.metrics, evaluation.label_f1)


def _show(metrics: Mapping[str, float], label_f1: Mapping[str, float]) -> None:
    """Metrics, then F1 by label, worst first."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console()
    for title, figures in (("metric", metrics), ("F1 by label", dict(sorted(label_f1.items(), key=_value)))):
        table = Table(title, "", box=box.SIMPLE_HEAD)
        table.columns[1].justify = "right"
        for name, figure in figures.items():
            whole = float(figure).is_integer() or name == "texts_per_s"
            table.add_row(name, f"{figure:,.0f}" if whole and name not in label_f1 else f"{figure:.4f}")
        console.print(table)


def _value(item: tuple[str, float]) -> float:
    return item[1]
