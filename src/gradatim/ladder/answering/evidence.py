"""What the report tells of a model that answers: its answers on dev, and how long the contexts are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gradatim.ladder.measure import measured_answers
from gradatim.ladder.records import Row
from gradatim.types import Array, Arrays


@dataclass(frozen=True, slots=True)
class AnswerEvidence:
    """`found` are its answers on dev, an array of each kind (n,), and `lengths` (n,) the sizes of contexts in words."""

    found: Arrays
    lengths: Array
    length_unit: str = "words"

    def answers(self, rows: Array) -> Arrays:
        """Those on some of the dev questions."""
        return {name: values[rows] for name, values in self.found.items()}


def gather_evidence(row: Row, contexts: Sequence[str]) -> AnswerEvidence:
    """Everything the report shows about `row` that its measurement does not hold."""
    found = {name: values for name, values in measured_answers(row.candidate).items() if values.ndim}
    return AnswerEvidence(found, np.array([len(context.split()) for context in contexts]))
