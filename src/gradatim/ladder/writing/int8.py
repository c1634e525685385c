"""Every model once more in 8 bits, and the best ones once more with a search that keeps several texts."""

from __future__ import annotations

import time
from pathlib import Path
from shutil import copyfile

from gradatim.engine.artifact import read_artifact, rewrite_artifact
from gradatim.export.text_to_text import write_text_to_text
from gradatim.ladder.rung import Problem
from gradatim.ladder.rungs.int8 import SUFFIX, Int8Rung
from gradatim.ladder.writing.lab import PROVENANCE, WritingLab, some
from gradatim.types import Candidate

CALIBRATION = 64  # training sources on which ranges of activations are found
BEAMS = 4


class WritingInt8Rung:
    """Weights, activations and word vectors in 8 bits; refused where that is not faster or costs too much on dev."""

    name = Int8Rung.name

    def cost_s(self, problem: Problem) -> float:
        """Nothing is trained."""
        return 0.0

    def fit(self, problem: Problem) -> list[Candidate]:
        lab, made = WritingLab.of(problem), []
        for source, _ in problem.below:
            found = lab.kept(source.name)
            if found is None:
                continue
            began = time.perf_counter()
            path = problem.folder / f"{source.name}{SUFFIX}.gradatim"
            model, config = found
            settings, texts = lab.settings(config), some(lab.sources, CALIBRATION)
            write_text_to_text(
                path, model, lab.tokenizer, settings=settings, provenance=PROVENANCE, beams=1, int8_on=texts
            )
            made_s = time.perf_counter() - began
            made.append(Candidate(path.stem, self.name, str(path), made_s, source.params, source.name))
        return made


class BeamsRung:
    """The best model, and the best in 8 bits, searching with beams: better texts for more time."""

    name = "beams"

    def cost_s(self, problem: Problem) -> float:
        """Nothing is trained."""
        return 0.0

    def fit(self, problem: Problem) -> list[Candidate]:
        written = [pair for pair in problem.below if read_artifact(Path(pair[0].artifact)).kind != "lead"]
        ranked = [candidate for candidate, _ in sorted(written, key=lambda pair: -pair[1])]
        small = [candidate for candidate in ranked if candidate.rung == Int8Rung.name]
        chosen = {candidate.name: candidate for candidate in (*ranked[:1], *small[:1])}
        return [self._searching(problem, candidate) for candidate in chosen.values()]

    def _searching(self, problem: Problem, source: Candidate) -> Candidate:
        began = time.perf_counter()
        path = problem.folder / f"{source.name}-beams.gradatim"
        copyfile(source.artifact, path)
        rewrite_artifact(path, decision={"beams": BEAMS})
        return Candidate(
            path.stem, self.name, str(path), time.perf_counter() - began, source.params, source.name,
            (f"keeps {BEAMS} texts side by side",),
        )  # fmt: skip
