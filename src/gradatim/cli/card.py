"""`gradatim card`: what a model file says about itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from gradatim.engine.artifact import Artifact
    from gradatim.types import Task

_LABELS_SHOWN = 12
# What is said of texts that are read, by kind of task, and kinds that are told without what they read.
SAID = {
    "regression": "a number each", "tagging": "a tag for each word", "masked": "words in the place of masks",
    "body": "a state for each token", "seq2seq": "a text written for each",
}  # fmt: skip
ALONE = {
    "span": "questions and contexts, where the answer stands", "choice": "questions, which of several answers is right",
    "table": "questions and tables, cells and what to do with them", "causal": "a language model: the next word",
}  # fmt: skip


def command(
    model: Annotated[Path, typer.Argument(help="A .gradatim file.")],
    as_json: Annotated[bool, typer.Option("--json", help="The manifest as JSON.")] = False,
) -> None:
    """Show a model's card and manifest."""
    from gradatim.engine.artifact import read_artifact

    artifact = read_artifact(model)
    if as_json:
        print(json.dumps(artifact.manifest(), ensure_ascii=False, indent=1))
        return

    from rich.console import Console
    from rich.markdown import Markdown

    console = Console()
    if artifact.card.strip():
        console.print(Markdown(artifact.card))
    console.print(_summary(artifact))


def _summary(artifact: Artifact) -> Any:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, show_header=False, title=str(artifact.path), title_justify="left")
    for name, value in _facts(artifact).items():
        table.add_row(Text(name, style="bold"), Text(value))  # Text: labels may look like markup
    return table


def _facts(artifact: Artifact) -> dict[str, str]:
    task = artifact.task
    more = len(task.labels) - _LABELS_SHOWN
    labels = ", ".join(task.labels[:_LABELS_SHOWN]) + (f" and {more} more" if more > 0 else "")
    return {
        "kind": f"{artifact.kind} ({_form(task)})",
        **({"labels": f"{len(task.labels)}: {labels}"} if task.labels else {}),
        "encoder": _listed(artifact.encoder),
        "decision": _listed(artifact.decision),
        "metrics": _listed(artifact.metrics),
        "provenance": _listed(artifact.provenance),
        "members": ", ".join(f"{name} {len(data) / 1e6:.2f} MB" for name, data in artifact.members.items()),
    }


def _form(task: Task) -> str:
    """What is read, and what is said of it."""
    read = "pairs of texts" if task.pairs else "texts"
    if task.kind == "classification":
        return f"{read}, {'several labels' if task.multi_label else 'one label'} each"
    return f"{read}, {SAID[task.kind]}" if task.kind in SAID else ALONE[task.kind]


def _listed(values: Any) -> str:
    return ", ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in values.items()) or "-"
