"""The lowest rung: the label frequencies, whatever the text says."""

from __future__ import annotations

import time

import numpy as np

from gradatim.engine.artifact import write_artifact
from gradatim.engine.constant import ConstantSession
from gradatim.ladder.rung import Problem
from gradatim.types import Array, Candidate, Examples, Task


def log_prior(task: Task, examples: Examples) -> Array:
    """Logits (labels,) of the label frequencies, each counted once more than seen (Laplace).

    ln p(label), or ln of the odds of the label for a multi-label task.
    """
    if task.multi_label:
        counts = examples.targets.sum(axis=0)
        odds: Array = (counts + 1) / (len(examples) - counts + 1)
        return np.log(odds)
    counts = np.bincount(examples.targets, minlength=len(task.labels))
    shares: Array = (counts + 1) / (len(examples) + len(counts))
    return np.log(shares)


class MajorityRung:
    """Predicts the most frequent label, with the frequencies as probabilities."""

    name = "majority"

    def cost_s(self, problem: Problem) -> float:
        """Next to nothing."""
        return 0.01

    def fit(self, problem: Problem) -> list[Candidate]:
        """Count the labels and write `majority.gradatim`."""
        began = time.perf_counter()
        task = problem.corpus.task
        logits = log_prior(task, problem.corpus.train)
        path = problem.folder / "majority.gradatim"
        session = ConstantSession(logits)
        write_artifact(
            path,
            kind="constant",
            task=task,
            encoder={"kind": "none"},
            members={"model.npz": session.to_npz()},
        )
        made_s = time.perf_counter() - began
        said = np.flatnonzero(logits >= 0) if task.multi_label else [np.argmax(logits)]
        note = f"always {', '.join(task.labels[i] for i in said) or 'without a label'}"
        return [Candidate("majority", self.name, str(path), made_s, len(logits), notes=(note,))]
