"""What the rungs share that know words and no pieces: features of words, tags as numbers, the file."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gradatim.engine.artifact import write_artifact
from gradatim.engine.contexts import ContextSession
from gradatim.ladder.rung import Problem
from gradatim.pipelines.matches import wanted_tags
from gradatim.pipelines.tagging import Span, joined
from gradatim.text.contexts import ContextEncoder
from gradatim.types import Array, Arrays, Candidate, Examples, Task


def spans_of(examples: Examples) -> list[list[Span]]:
    """Where the words of each text lie."""
    return [joined(text.split(" "))[1] for text in examples.texts]


def features(encoder: ContextEncoder, examples: Examples) -> Arrays:
    """`keys` (words, features) and `lengths` (texts,)."""
    return encoder.encode(examples.texts, words=spans_of(examples)).arrays


def tag_ids(task: Task, examples: Examples) -> Array:
    """The tags of all words end to end, as numbers of labels."""
    numbers = {tag: number for number, tag in enumerate(task.labels)}
    return np.array([numbers[tag] for row in wanted_tags(examples) for tag in row], dtype=np.int64)


def decision(task: Task) -> Mapping[str, Any]:
    """What a file says of how its logits become tags."""
    return {"iob2": True} if task.marks_entities else {}


def word_model(
    problem: Problem,
    name: str,
    encoder: ContextEncoder,
    session: ContextSession,
    began: float,
    notes: Sequence[str],
) -> Candidate:
    """Write `name.gradatim` into the rung's folder; the rung began at that time."""
    path, task = problem.folder / f"{name}.gradatim", problem.corpus.task
    write_artifact(
        path,
        kind="contexts",
        task=task,
        encoder=encoder.settings(),
        members={"model.npz": session.to_npz()},
        decision=decision(task),
    )
    params = session.weights.size + session.bias.size + session.transitions.size
    return Candidate(name, name, str(path), time.perf_counter() - began, params, notes=tuple(notes))
