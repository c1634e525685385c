"""`gradatim fit`: climb the ladder under a budget, write the model and the report."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from gradatim.errors import need_training

Data, Limits, How, Files = "Data", "Budget", "How to climb", "Files"  # panels of the help

Source = Annotated[str, typer.Argument(help="A file, a folder, a catalog or data set name.")]
Text = Annotated[str | None, typer.Option(help="Text column.", rich_help_panel=Data)]
TextPair = Annotated[str | None, typer.Option(help="Second text column.", rich_help_panel=Data)]
Label = Annotated[
    str | None, typer.Option(help="Label column, or several of 0 and 1: a,b,c.", rich_help_panel=Data)
]
Dev = Annotated[str | None, typer.Option(help="A file with the dev split.", rich_help_panel=Data)]
Test = Annotated[str | None, typer.Option(help="A file with the test split.", rich_help_panel=Data)]
Target = Annotated[
    str | None, typer.Option(help="Column of texts to be written from those of --text.", rich_help_panel=Data)
]
Unlabelled = Annotated[
    str | None, typer.Option(help="Unlabelled texts for the students.", rich_help_panel=Data)
]
MaxMs = Annotated[
    float | None, typer.Option(help="p95 milliseconds per text at batch 1.", rich_help_panel=Limits, min=0)
]
MaxMb = Annotated[float | None, typer.Option(help="Size of the model file.", rich_help_panel=Limits, min=0)]
MaxRamMb = Annotated[
    float | None, typer.Option(help="Peak memory of a process.", rich_help_panel=Limits, min=0)
]
MaxTrainMin = Annotated[
    float | None, typer.Option(help="Minutes of training in all.", rich_help_panel=Limits, min=0)
]
Metric = Annotated[str | None, typer.Option(help="What quality means.", rich_help_panel=How)]
Tolerance = Annotated[float, typer.Option(help="What int8 may lose on dev.", rich_help_panel=How, min=0)]
Encoder = Annotated[
    str, typer.Option(help="A folder, catalog name or hub id of the BERT family.", rich_help_panel=How)
]
Teacher = Annotated[
    str | None, typer.Option(help="A larger encoder to teach the students.", rich_help_panel=How)
]
Language = Annotated[
    str | None,
    typer.Option(help="A language model, fine-tuned (ULMFiT) or read (ELMo).", rich_help_panel=How),
]
Augment = Annotated[
    bool, typer.Option("--augment/--no-augment", help="Edited texts for the students.", rich_help_panel=How)
]
Few = Annotated[
    bool | None,
    typer.Option("--few/--no-few", help="Rungs for few labels; else by their number.", rich_help_panel=How),
]
Vectors = Annotated[
    str | None, typer.Option(help="Static vectors to start from: glove-6b-50d, a file.", rich_help_panel=How)
]
MaxLength = Annotated[
    int, typer.Option(help="Window in tokens; longer texts get several.", rich_help_panel=How, min=16)
]
Epochs = Annotated[
    float | None, typer.Option(help="Epochs of every neural rung.", rich_help_panel=How, min=0.01)
]
Precision = Annotated[str, typer.Option(help="Training precision: auto, bf16 or fp32.", rich_help_panel=How)]
Rungs = Annotated[str | None, typer.Option(help="Only these rungs, joined by commas.", rich_help_panel=How)]
Threads = Annotated[
    int | None, typer.Option(help="Threads to train and measure with.", rich_help_panel=How, min=1)
]
Seed = Annotated[int, typer.Option(help="Seed of splits and training.", rich_help_panel=How)]
Resume = Annotated[
    bool, typer.Option("--resume", help="Continue a climb that was stopped.", rich_help_panel=How)
]
Out = Annotated[Path, typer.Option("--out", "-o", help="The model file.", rich_help_panel=Files)]
Report = Annotated[Path, typer.Option(help="The report.", rich_help_panel=Files)]
Picture = Annotated[Path | None, typer.Option(help="A picture of the front, PNG.", rich_help_panel=Files)]
Folder = Annotated[Path | None, typer.Option(help="Where the climb is kept.", rich_help_panel=Files)]
Force = Annotated[
    bool, typer.Option("--force", help="Write the nearest model if none fits.", rich_help_panel=Files)
]


def command(
    data: Source,
    text: Text = None,
    text_pair: TextPair = None,
    label: Label = None,
    target: Target = None,
    dev: Dev = None,
    test: Test = None,
    unlabelled: Unlabelled = None,
    max_ms: MaxMs = None,
    max_mb: MaxMb = None,
    max_ram_mb: MaxRamMb = None,
    max_train_min: MaxTrainMin = None,
    metric: Metric = None,
    tolerance: Tolerance = 0.005,
    encoder: Encoder = "minilm-l6",
    teacher: Teacher = None,
    language_model: Language = None,
    augment: Augment = True,
    few: Few = None,
    vectors: Vectors = None,
    max_length: MaxLength = 256,
    epochs: Epochs = None,
    precision: Precision = "auto",
    rungs: Rungs = None,
    threads: Threads = None,
    seed: Seed = 0,
    resume: Resume = False,
    out: Out = Path("model.gradatim"),
    report: Report = Path("report.html"),
    picture: Picture = None,
    folder: Folder = None,
    force: Force = False,
) -> None:
    """Climb the ladder on labels, tags, answers or translations; hand back the smallest model that is good enough."""
    options = dict(locals())
    # Before torch is loaded: OpenMP threads that spin long while they wait make a climb ten times slower
    # beside any other busy process; spinning briefly costs nothing on a quiet machine.
    os.environ.setdefault("GOMP_SPINCOUNT", "5000")
    data = options.pop("data")
    options["rungs"] = [name.strip() for name in rungs.split(",")] if rungs else None
    options["command"] = f"gradatim {shlex.join(sys.argv[1:])}"
    need_training("gradatim fit", "datasets", "sklearn", "onnx")
    options |= _unlabelled(options.pop("unlabelled"), text, text_pair)
    from gradatim.ladder.fit import fit

    outcome = fit(data, **options)
    print(f"{outcome.artifact}  {outcome.report}")


def _unlabelled(source: str | None, text: str | None, text_pair: str | None) -> dict[str, Any]:
    """The texts of a source, and their pairs, as options."""
    if source is None:
        return {}
    from gradatim.data import load_texts

    texts, pairs = load_texts(source, text=text, text_pair=text_pair, pairs=text_pair is not None)
    return {"unlabelled": texts, "unlabelled_pairs": pairs}
