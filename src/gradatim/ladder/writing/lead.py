"""The lowest rung: what the source begins with."""

from __future__ import annotations

import time

from gradatim.engine.artifact import write_artifact
from gradatim.engine.lead import LeadStepper
from gradatim.ladder.rung import Problem
from gradatim.ladder.writing.judge import score
from gradatim.ladder.writing.lab import WritingLab, some
from gradatim.pipelines.text_to_text import TextToText
from gradatim.types import Candidate, Task

LENGTHS = (4, 8, 16, 32, 64, 128)  # tokens that are tried, beside all
JUDGED = 500


class LeadRung:
    """The first tokens of the source, as many as are best in training; of translations usually the source itself."""

    name = "lead"

    def cost_s(self, problem: Problem) -> float:
        """Next to nothing."""
        return 1.0

    def fit(self, problem: Problem) -> list[Candidate]:
        began = time.perf_counter()
        lab, train = WritingLab.of(problem), problem.corpus.train
        sources, targets = some(train.texts, JUDGED), some(train.targets.tolist(), JUDGED)

        def quality(count: int | None) -> float:
            stepper = LeadStepper(lab.vocab_size, end=lab.end, count=count)
            writer = TextToText(stepper, lab.pieces, lab.tokenizer, end=lab.end, longest=lab.max_length)
            return score(problem.metric, writer(sources), targets)

        lengths = (*(count for count in LENGTHS if count < lab.max_length), None)
        best = max(lengths, key=quality)
        path = problem.folder / f"{self.name}.gradatim"
        write_artifact(
            path, kind="lead", task=Task((), kind="seq2seq"), members={"tokenizer.json": lab.tokenizer.encode()},
            encoder={"kind": "text2text", "count": best, **lab.settings()}, decision={"beams": 1},
        )  # fmt: skip
        note = "the source itself" if best is None else f"the first {best} tokens of the source"
        return [Candidate(self.name, self.name, str(path), time.perf_counter() - began, 0, notes=(note,))]
