"""The lowest rung: the label frequencies, whatever the text says."""

from __future__ import annotations

import time

import numpy as np

from gradatim.engine.artifact import write_artifact
from gradatim.engine.constant import ConstantSession
from gradatim.ladder.logistic import log_prior
from gradatim.ladder.rung import Problem
from gradatim.types import Candidate


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
