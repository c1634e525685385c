"""What the report tells of a model that writes: what it wrote on dev, examples with alignments, the worst of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gradatim.errors import ConfigError
from gradatim.explain.alignment import Alignment, align
from gradatim.explain.heads import all_heads
from gradatim.ladder.measure import measured_answers
from gradatim.ladder.records import Row
from gradatim.ladder.rung import Problem
from gradatim.ladder.writing.judge import text_quality
from gradatim.ladder.writing.lab import WritingLab
from gradatim.models.stepper import TorchStepper
from gradatim.pipelines.text_to_text import TextToText
from gradatim.text.pieces import PieceEncoder
from gradatim.types import Array, Arrays

EXAMPLES, SHORT = 4, (4, 14)  # shown with alignments; tokens of their sources


@dataclass(frozen=True, slots=True)
class WritingEvidence:
    """What the chosen model wrote on dev, `quality` of each text by itself, and where it looked in some of them.

    `lengths` (n,) are those of the sources in words. `aligned` names the rows of `alignments`, which are those of
    the model that the chosen one was made from.
    """

    written: Array
    quality: Array
    lengths: Array
    length_unit: str
    aligned: Sequence[int]
    alignments: Sequence[Alignment]
    aligned_by: str

    def answers(self, rows: Array) -> Arrays:
        """Those on some of the dev texts."""
        return {"written": self.written[rows]}


def gather_evidence(problem: Problem, row: Row) -> WritingEvidence:
    """Everything the report shows about `row` that its measurement does not hold."""
    dev = problem.corpus.dev
    written = measured_answers(row.candidate)["written"]
    lengths = np.array([len(text.split()) for text in dev.texts])
    aligned, alignments, name = _aligned(problem, row, lengths)
    quality = text_quality(written.tolist(), dev.targets.tolist())
    return WritingEvidence(written, quality, lengths, "words", aligned, alignments, name)


def _aligned(problem: Problem, row: Row, lengths: Array) -> tuple[list[int], list[Alignment], str]:
    """Some dev texts, and where the model looked; none where it has no attention."""
    lab, name = WritingLab.of(problem), row.name
    origins = {candidate.name: candidate.source for candidate, _ in problem.below}
    while (found := lab.kept(name)) is None and origins.get(name):
        name = str(origins[name])
    if found is None:
        return [], [], ""
    model, config = found
    pieces = PieceEncoder(lab.tokenizer, max_length=lab.max_length)
    longest = lab.settings(config)["longest"]
    writer = TextToText(
        TorchStepper(model, start=lab.start), pieces, lab.tokenizer, end=lab.end, longest=longest
    )
    fitting = np.flatnonzero((lengths >= SHORT[0]) & (lengths <= SHORT[1]))
    rows = np.random.default_rng(problem.seed).permutation(fitting)[:EXAMPLES].tolist()
    try:
        search = writer.search(beams=1)
        shown = [align(writer, problem.corpus.dev.texts[at], search, look=all_heads) for at in rows]
    except ConfigError:  # through one vector: there is nothing to look at
        return [], [], name
    return rows, shown, name
