"""`gradatim train`: train one model by a recipe file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    recipe: Annotated[Path, typer.Argument(help="A TOML file: [model], [data], [objective], [train].")],
    changes: Annotated[
        list[str] | None, typer.Argument(help="Changes to it, as train.rate=1e-4.", metavar="KEY=VALUE")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The run's folder; the recipe's name without suffix.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue a run that was stopped.")] = False,
) -> None:
    """Train a model by a recipe; under `accelerate launch -m gradatim train`, in several processes."""
    _need_training_extra()
    from gradatim.train.recipe_file import read_recipe

    read = read_recipe(recipe, changes or ())
    folder = out or recipe.with_suffix("")
    from gradatim.train.job import run

    run(read, folder, resume=resume)


def _need_training_extra() -> None:
    from importlib.util import find_spec

    from gradatim.errors import MissingExtraError

    if any(find_spec(name) is None for name in ("torch", "accelerate", "datasets", "safetensors")):
        raise MissingExtraError("gradatim train", "train")
