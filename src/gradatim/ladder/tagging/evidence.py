"""What the report tells of a tagger: its tags on dev, and how long the sentences are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gradatim.ladder.measure import measured_answers
from gradatim.ladder.records import Row
from gradatim.ladder.rung import Problem
from gradatim.types import Array, Arrays


@dataclass(frozen=True, slots=True)
class TagEvidence:
    """`tags` of all words of dev, as numbers of labels, and `lengths` (n,) of its sentences in words."""

    tags: Array
    lengths: Array
    length_unit: str = "words"

    def answers(self, rows: Array) -> Arrays:
        """Those on some of the dev texts."""
        parts = np.split(self.tags, np.cumsum(self.lengths)[:-1])
        return {"tags": np.concatenate([parts[row] for row in rows]), "sizes": self.lengths[rows]}


def gather_evidence(problem: Problem, row: Row) -> TagEvidence:
    """Everything the report shows about `row` that its measurement does not hold."""
    answers = measured_answers(row.candidate)
    return TagEvidence(answers["tags"], answers["sizes"])
