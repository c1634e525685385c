"""Questions about tables whose answers are known: as rows, those about one table together, and judged."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gradatim.data.grids import TableQuestion
from gradatim.errors import DataError
from gradatim.pipelines.cells import choose_cells
from gradatim.pipelines.denotation import AGGREGATIONS, NONE, denoted, is_denoted
from gradatim.text.grids import GridConfig, GridEncoder
from gradatim.types import Arrays, Encoded


def by_table(questions: Sequence[TableQuestion]) -> list[list[TableQuestion]]:
    """Those about one table in one list."""
    found: dict[int, list[TableQuestion]] = {}
    for question in questions:
        found.setdefault(id(question.grid), []).append(question)
    return list(found.values())


def encode_asked(
    encoder: GridEncoder, questions: Sequence[TableQuestion], most: int = 0
) -> tuple[Encoded, list[TableQuestion]]:
    """Questions as rows, those about one table together, and the questions in that order.

    A table with a row too long to be read is shortened, and the tokens that this costs are counted; one that takes more
    than `most` windows is left out, unless that is 0.
    """
    parts, read = [], []
    for some in by_table(questions):
        asked, grids = [one.question for one in some], [one.grid for one in some]
        try:
            part = encoder.encode(asked, grids)
        except DataError:
            part = encoder.encode(asked, grids, truncate=True)
        if not most or np.bincount(part.owners).max() <= most:
            parts.append(part)
            read += some
    if not parts:
        raise DataError("no question is left: every answer or table says too little or is too long")
    return Encoded.together(parts), read


def judge_asked(
    said: Arrays,
    encoded: Encoded,
    questions: Sequence[TableQuestion],
    config: GridConfig,
    labels: Sequence[str] = AGGREGATIONS,
) -> tuple[int, int]:
    """How many questions are answered as annotated, and how many by an aggregation (one of `labels`)."""
    shapes = [(len(question.grid.rows), len(question.grid.columns)) for question in questions]
    chosen = choose_cells(said["logits"], encoded, shapes, config, said.get("aggregation"))
    right = aggregated = 0
    for question, one in zip(questions, chosen, strict=True):
        aggregation = NONE if one.aggregation is None else labels[int(one.aggregation.argmax())].upper()
        right += is_denoted(denoted(question.grid, one.cells, aggregation), question.answers)
        aggregated += aggregation != NONE
    return right, aggregated
