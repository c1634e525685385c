"""`gradatim fit`: climb the ladder under a budget, write the model and the report."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

Data, Limits, How, Files = "Data", "Budget", "How to climb", "Files"


def command(
    data: Annotated[str, typer.Argument(help="A file, a folder, a catalog or data set name.")],
    text: Annotated[str | None, typer.Option(help="Text column.", rich_help_panel=Data)] = None,
    text_pair: Annotated[str | None, typer.Option(help="Second text column.", rich_help_panel=Data)] = None,
    label: Annotated[str | None, typer.Option(help="Label column.", rich_help_panel=Data)] = None,
    dev: Annotated[str | None, typer.Option(help="A file with the dev split.", rich_help_panel=Data)] = None,
    test: Annotated[
        str | None, typer.Option(help="A file with the test split.", rich_help_panel=Data)
    ] = None,
    unlabelled: Annotated[
        str | None, typer.Option(help="Unlabelled texts for the students.", rich_help_panel=Data)
    ] = None,
    max_ms: Annotated[
        float | None,
        typer.Option(help="p95 milliseconds per text at batch 1.", rich_help_panel=Limits, min=0),
    ] = None,
    max_mb: Annotated[
        float | None, typer.Option(help="Size of the model file.", rich_help_panel=Limits, min=0)
    ] = None,
    max_ram_mb: Annotated[
        float | None, typer.Option(help="Peak memory of a process.", rich_help_panel=Limits, min=0)
    ] = None,
    max_train_min: Annotated[
        float | None, typer.Option(help="Minutes of training in all.", rich_help_panel=Limits, min=0)
    ] = None,
    metric: Annotated[str | None, typer.Option(help="What quality means.", rich_help_panel=How)] = None,
    tolerance: Annotated[
        float, typer.Option(help="What int8 may lose on dev.", rich_help_panel=How, min=0)
    ] = 0.005,
    encoder: Annotated[
        str, typer.Option(help="A folder, catalog name or hub id of the BERT family.", rich_help_panel=How)
    ] = "minilm-l6",
    teacher: Annotated[
        str | None, typer.Option(help="A larger encoder to teach the students.", rich_help_panel=How)
    ] = None,
    augment: Annotated[
        bool,
        typer.Option("--augment/--no-augment", help="Edited texts for the students.", rich_help_panel=How),
    ] = True,
    vectors: Annotated[
        str | None, typer.Option(help="Static vectors to start from, glove-6b-50d.", rich_help_panel=How)
    ] = None,
    max_length: Annotated[
        int, typer.Option(help="Window in tokens; longer texts get several.", rich_help_panel=How, min=16)
    ] = 256,
    epochs: Annotated[
        float | None, typer.Option(help="Epochs of every neural rung.", rich_help_panel=How, min=0.01)
    ] = None,
    precision: Annotated[
        str, typer.Option(help="Training precision: auto, bf16 or fp32.", rich_help_panel=How)
    ] = "auto",
    rungs: Annotated[
        str | None, typer.Option(help="Only these rungs, joined by commas.", rich_help_panel=How)
    ] = None,
    threads: Annotated[
        int | None, typer.Option(help="Threads to train and measure with.", rich_help_panel=How, min=1)
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of splits and training.", rich_help_panel=How)] = 0,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue a climb that was stopped.", rich_help_panel=How)
    ] = False,
    out: Annotated[Path, typer.Option("--out", "-o", help="The model file.", rich_help_panel=Files)] = Path(
        "model.gradatim"
    ),
    report: Annotated[Path, typer.Option(help="The report.", rich_help_panel=Files)] = Path("report.html"),
    picture: Annotated[
        Path | None, typer.Option(help="A picture of the front, PNG.", rich_help_panel=Files)
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(help="Where the climb is kept.", rich_help_panel=Files)
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Write the nearest model if none fits.", rich_help_panel=Files)
    ] = False,
) -> None:
    """Climb the ladder on labelled text; hand back the smallest model that is good enough."""
    options = dict(locals())
    # Before torch is loaded: OpenMP threads that spin long while they wait make a climb ten times slower
    # beside any other busy process; spinning briefly costs nothing on a quiet machine.
    os.environ.setdefault("GOMP_SPINCOUNT", "5000")
    data = options.pop("data")
    options["rungs"] = [name.strip() for name in rungs.split(",")] if rungs else None
    options["command"] = f"gradatim {shlex.join(sys.argv[1:])}"
    _need_training_extra()
    if unlabelled is not None:
        from gradatim.data import load_texts

        options["unlabelled"], options["unlabelled_pairs"] = load_texts(
            unlabelled, text=text, text_pair=text_pair, pairs=text_pair is not None
        )
    else:
        del options["unlabelled"]
    from gradatim.ladder.fit import fit

    outcome = fit(data, **options)
    print(f"{outcome.artifact}  {outcome.report}")


def _need_training_extra() -> None:
    from importlib.util import find_spec

    from gradatim.errors import MissingExtraError

    if any(find_spec(name) is None for name in ("torch", "datasets", "sklearn", "onnx")):
        raise MissingExtraError("gradatim fit", "train")
