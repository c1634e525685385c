"""`gradatim card`: what a model file says about itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from gradatim.engine.artifact import Artifact

_LABELS_SHOWN = 12


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
    form = (
        ("pairs of texts" if task.pairs else "texts")
        + ", "
        + ("several labels" if task.multi_label else "one label")
    )
    return {
        "kind": f"{artifact.kind} ({form} each)",
        "labels": f"{len(task.labels)}: {labels}",
        "encoder": _listed(artifact.encoder),
        "decision": _listed(artifact.decision),
        "metrics": _listed(artifact.metrics),
        "provenance": _listed(artifact.provenance),
        "members": ", ".join(f"{name} {len(data) / 1e6:.2f} MB" for name, data in artifact.members.items()),
    }


def _listed(values: Any) -> str:
    return ", ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in values.items()) or "-"
