"""A recipe file carried out: everything built, trained, and the model left in the run's folder."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

from gradatim.engine.atomic import atomic_file
from gradatim.errors import ConfigError
from gradatim.train.build import Materials
from gradatim.train.loop import CHECKPOINTS, Trained, train
from gradatim.train.processes import Launched
from gradatim.train.recipe_file import RecipeFile
from gradatim.wording import count

MODEL = "model"  # the folder of the finished model, in that of the run
METRICS = "metrics.json"  # what it achieves on dev and test, beside it


def run(recipe: RecipeFile, folder: Path, *, resume: bool = False) -> Trained:
    """Train by a recipe in `folder`; raises ConfigError if there is a run in it that was not to be resumed."""
    if not resume and any((folder / CHECKPOINTS).glob("step-*")):
        raise ConfigError(f"{folder} holds a run already: continue it with --resume, or choose another --out")
    processes = Launched()
    prepared = recipe.objective.prepare(Materials(recipe.model, recipe.data, recipe.train))
    if recipe.distillation is not None:
        prepared = recipe.distillation.teach(prepared)
    if processes.rank == 0:
        for note in prepared.notes:
            print(note, file=sys.stderr)
    done = train(
        prepared.model,
        prepared.objective,
        recipe.train,
        evaluate=prepared.evaluate,
        folder=folder,
        resume=resume,
        processes=processes,
        said={name: part for name, part in asdict(recipe).items() if name not in ("train", "data")},
    )
    if processes.rank == 0:
        prepared.save(folder / MODEL)
        score = "" if done.score is None else f", score {done.score:.4f}"
        steps = count(done.steps, "step")
        print(f"{folder / MODEL}  {steps}, loss {done.loss:.4f}{score}, {done.tokens_per_s:,.0f} tokens/s")
        if prepared.metrics:
            judged = None if done.score is None else prepared.known.get(done.score)
            metrics = dict(judged or prepared.metrics())
            if prepared.test:
                metrics |= {f"test_{name}": value for name, value in prepared.test().items()}
            with atomic_file(folder / METRICS) as handle:
                handle.write(json.dumps(metrics, indent=2).encode())
            print("  ".join(f"{name} {value:.4f}" for name, value in metrics.items()))
        for example in prepared.examples() if prepared.examples else ():
            print(example)
    return done
