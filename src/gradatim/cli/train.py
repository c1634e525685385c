"""`gradatim train`: train one model by a recipe file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gradatim.errors import need_training


def command(
    recipe: Annotated[
        Path, typer.Argument(help="A TOML file with sections model, data, objective and train.")
    ],
    changes: Annotated[
        list[str] | None, typer.Argument(help="Changes to it, as train.rate=1e-4.", metavar="KEY=VALUE")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The run's folder; the recipe's name without suffix.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue a run that was stopped.")] = False,
) -> None:
    """Train a model by a recipe; under `accelerate launch -m gradatim train`, in several processes."""
    need_training("gradatim train", "accelerate", "datasets", "safetensors")
    from gradatim.train.recipe_file import read_recipe

    read = read_recipe(recipe, changes or ())
    folder = out or recipe.with_suffix("")
    from gradatim.train.job import run

    run(read, folder, resume=resume)
