"""`gradatim run`: a task over all rows of a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from gradatim.errors import ConfigError
from gradatim.wording import count

CONSTANTS = {"True": True, "False": False, "None": None}  # as the options are written in Python


def command(
    task: Annotated[
        str, typer.Argument(help="text-classification, ner, question-answering, translation, ...")
    ],
    model: Annotated[
        str, typer.Argument(help="A .gradatim file, a model folder, a catalog name or a hub id.")
    ],
    input: Annotated[Path, typer.Option(help="CSV, TSV, JSONL, TXT (also .gz, .xz) or Parquet.")],
    output: Annotated[Path, typer.Option(help="CSV, JSONL or Parquet to write: the input, and the answers.")],
    text: Annotated[
        str | None,
        typer.Option(help="Column of the texts; of questions, for those about contexts and tables."),
    ] = None,
    text_pair: Annotated[
        str | None, typer.Option(help="Column of the second texts, of contexts, or of the files of tables.")
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option("--option", "-o", help="name=value of the task, such as top_k=3; repeat it."),
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Cores to use (default: all).")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that was stopped.")] = False,
) -> None:
    """Answer every row of a file, as `gradatim.pipeline(TASK, MODEL)` would."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from gradatim.cli.target import check_target
    from gradatim.tasks.pipeline import pipeline
    from gradatim.tasks.rows import answer_rows, read_inputs

    check_target(output)
    options = dict(map(_option, option or ()))
    inputs = read_inputs(task, input, text=text, text_pair=text_pair)
    work = pipeline(task, model, threads=threads, **options)
    facts = {"task": task, "model": model, "options": options, "text": text, "text_pair": text_pair}
    console = Console(stderr=True)
    columns = (TextColumn(task), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        bar_task = bar.add_task(task, total=sum(1 for _ in inputs.table.scan()))
        answered = answer_rows(
            work.each,
            inputs,
            output,
            facts=facts,
            resume=resume,
            progress=lambda rows: bar.advance(bar_task, rows),
        )
    print(f"{output}: {count(answered, 'answer')}")


def _option(given: str) -> tuple[str, Any]:
    """A name and its value, which is JSON or one of Python's constants if it reads as such, else text."""
    name, equals, value = given.partition("=")
    if not equals:
        raise ConfigError(f"--option is name=value, not '{given}'")
    try:
        return name, CONSTANTS[value] if value in CONSTANTS else json.loads(value)
    except ValueError:
        return name, value
