"""`gradatim.pipeline(task, model)`: what a model file is for, by the names of `transformers.pipeline`."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from gradatim.errors import ConfigError, did_you_mean
from gradatim.pipelines.generation import TextGeneration
from gradatim.pipelines.open import load_language


def _text_generation(model: str | os.PathLike[str], threads: int | None) -> TextGeneration:
    return TextGeneration(load_language(model, threads=threads))


TASKS: Mapping[str, Callable[[str | os.PathLike[str], int | None], Any]] = {
    "text-generation": _text_generation
}


def pipeline(task: str, model: str | os.PathLike[str], *, threads: int | None = None) -> Any:
    """A callable for a task ("text-generation") with the model of a file. Raises ConfigError for another task."""
    if task not in TASKS:
        raise ConfigError(f"unknown task '{task}'{did_you_mean(task, TASKS)}; known: {', '.join(TASKS)}")
    return TASKS[task](model, threads)
