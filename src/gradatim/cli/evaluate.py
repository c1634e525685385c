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
    from gradatim.pipelines.evaluation import Evaluation
    from gradatim.pipelines.text_to_text import TextToText

LANGUAGE = re.compile(r"[.,-]([a-z]{2})\}?$")  # at the end of a name: test.de, train.{en,de}, multi30k/en-de


def command(
    model: Annotated[Path, typer.Argument(help="A .gradatim file, or a model folder.")],
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
    from gradatim.pipelines.text_to_text import TextToText
    from gradatim.tasks.judged import load_judged

    opened = load_judged(model, threads=threads)
    if isinstance(opened, TextToText):
        pairs = _pairs(data, targets, split, text, text_pair)
        found = LANGUAGE.search(str(decompressed(targets or Path(data))))
        language = language or (found[1] if found else None)
        figures = _written(opened, pairs, measure, language, beams)
        print(json.dumps(figures, indent=1)) if as_json else _show_written(figures)
        return
    if targets is not None:
        raise ConfigError(f"{model} writes no texts: give labelled data alone, without {targets}")
    columns = {"text": text, "text_pair": text_pair, "label": label}
    evaluation, notes = _judged(opened, data, split, columns)
    for note in notes:
        print(note, file=sys.stderr)
    if as_json:
        print(json.dumps(dict(evaluation.metrics), indent=1))
    else:
        _show(evaluation.metrics, evaluation.label_f1)


def _judged(
    opened: Any, data: str, split: str, columns: Mapping[str, str | None]
) -> tuple[Evaluation, tuple[str, ...]]:
    """What a model that reads achieves on a split of the data, and notes on which."""
    from gradatim import data as sets
    from gradatim.pipelines import evaluation as measured
    from gradatim.pipelines.judged import ChoiceRows, SpanRows, choice_metrics, span_metrics
    from gradatim.pipelines.labels import TextClassification
    from gradatim.pipelines.tables import TableQuestionAnswering
    from gradatim.pipelines.tagger import SequenceTagger

    examples: Any
    match opened:
        case SequenceTagger() as tagger:
            examples, notes = sets.load_tagged_examples(data, split, known=tagger.task.labels)
            return measured.evaluate_tags(tagger, examples), notes
        case SpanRows() as reader:
            examples, notes = sets.load_answered_examples(data, split)
            return measured.evaluate_answers(reader, examples, span_metrics), notes
        case ChoiceRows() as chooser:
            examples, notes = sets.load_chosen_examples(data, split)
            return measured.evaluate_answers(chooser, examples, choice_metrics), notes
        case TableQuestionAnswering() as ask:
            examples, notes = sets.load_table_questions(data, split)
            return measured.evaluate_tables(ask, examples), notes
        case TextClassification() as number:
            examples, notes = sets.load_scored_examples(data, split, **columns)
            return measured.evaluate_numbers(number, examples.texts, examples.pairs, examples.scores), notes
        case classifier:
            either = classifier.pairs is None
            examples, notes = sets.load_examples(data, classifier.task, **columns, split=split, either=either)
            return measured.evaluate(classifier, examples), notes


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
    writer: TextToText, pairs: Parallel, measure: str, language: str | None, beams: int
) -> dict[str, Any]:
    """Scores of what the model writes for the sources, and how fast it does."""
    from gradatim.decode.search import Search
    from gradatim.pipelines.overlap import MEASURES, overlap, signatures

    if measure not in MEASURES:
        raise ConfigError(
            f"--measure is {' or '.join(MEASURES)}, not '{measure}'{did_you_mean(measure, MEASURES)}"
        )
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
