"""A student of half the layers, which learns from what the best model writes and how sure it is of each word."""

from __future__ import annotations

import time
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from torch import nn

from gradatim.checkpoint.config import ModelConfig
from gradatim.decode.search import Search
from gradatim.errors import ConfigError
from gradatim.ladder.rung import Problem
from gradatim.ladder.state import read_json, write_json
from gradatim.ladder.writing.lab import WritingLab, some
from gradatim.models.backbone import Backbone, BackboneConfig, fewer_blocks
from gradatim.models.language import Seq2Seq
from gradatim.objectives.distillation import Distillation
from gradatim.objectives.match import Match
from gradatim.pipelines.open import load_text_to_text
from gradatim.train.loop import train
from gradatim.types import Candidate
from gradatim.wording import count

BEAMS, MOST = 4, 60_000  # of the teacher's search; sources that it writes anew, at most,
SHARE = 0.4  # and in this share of the rung's time
TRIED = 128  # sources on which its pace is taken
SEEN, FEWEST, OFTEN = 600_000, 2.0, 12.0  # pairs seen in all, within so many epochs
RATE = 1e-3
MATCH = Match(temperature=1.0, soft=0.5, hard=0.5)  # what the teacher thinks of each word, and what it wrote


class StudentRung:
    """Sequence-level and word-level distillation of the best Transformer (Kim & Rush 2016, sections 3.1 and 3.2).

    It starts from every other block of its teacher, whose translations by beam search stand in for the given ones.
    """

    name = "student"
    can_shorten = True

    def cost_s(self, problem: Problem) -> float:
        source, teacher, config = _teacher(problem)
        many = min(MOST, len(problem.corpus.train))
        learning_s = problem.settings.planned(self._epochs(problem)) * self._epoch_s(
            problem, source, teacher, config
        )
        return many * self._pace_s(problem, source) + learning_s

    def fit(self, problem: Problem) -> list[Candidate]:
        began = time.perf_counter()
        lab, (source, teacher, config) = WritingLab.of(problem), _teacher(problem)
        epoch_s = self._epoch_s(problem, source, teacher, config)
        rewritten = self._rewritten(problem, source)
        objective = lab.objective(lab.sources, [*rewritten, *lab.targets[len(rewritten) :]])
        taught = Distillation(objective, MATCH, teacher=teacher)
        student = halved(teacher, config)
        epochs = lab.affordable(self._epochs(problem), epoch_s, spent_s=time.perf_counter() - began)
        train(student, taught, lab.recipe(epochs, RATE), progress=problem.progress)
        small = _half(config)
        lab.keep(student, small, self.name)
        notes = (
            f"imitates {source.name}, which wrote {len(rewritten):,} of its targets, {count(epochs, 'epoch', '.3g')}",
        )
        made_s = time.perf_counter() - began
        return [lab.export(student, small, self.name, made_s, source=source.name, notes=notes)]

    def _rewritten(self, problem: Problem, source: Candidate) -> list[str]:
        """What the teacher writes for the first sources; kept for a resumed climb, unless it has another teacher."""
        path, lab = problem.folder / "rewritten.json", WritingLab.of(problem)
        by = sha256(Path(source.artifact).read_bytes()).hexdigest()
        if path.is_file() and (known := read_json(path))["by"] == by:
            written: list[str] = known["texts"]
            return written
        many = min(MOST, len(lab.sources))
        if problem.limit_s is not None:
            many = min(many, int(SHARE * problem.limit_s / self._pace_s(problem, source)))
        problem.say(f"{source.name} writes {many:,} targets")
        writer = load_text_to_text(source.artifact, threads=problem.threads)
        texts = writer(lab.sources[:many], Search(end=lab.end, max_length=lab.max_length, beams=BEAMS))
        write_json(path, {"by": by, "texts": texts})
        return texts

    def _pace_s(self, problem: Problem, source: Candidate) -> float:
        """Seconds that the teacher needs for a source."""
        key = f"pace of {source.name}"  # a better teacher may come: it is larger
        if key not in problem.cache:
            lab, writer = WritingLab.of(problem), load_text_to_text(source.artifact, threads=problem.threads)
            tried = some(lab.sources, TRIED)
            began = time.perf_counter()
            writer(tried, Search(end=lab.end, max_length=lab.max_length, beams=BEAMS))
            problem.cache[key] = (time.perf_counter() - began) / len(tried)
        pace: float = problem.cache[key]
        return pace

    def _epoch_s(self, problem: Problem, source: Candidate, teacher: Seq2Seq, config: ModelConfig) -> float:
        lab = WritingLab.of(problem)
        taught = Distillation(lab.learned, MATCH, teacher=teacher)
        name = f"{self.name} of {source.name}"
        return lab.epoch_s(name, lambda: halved(teacher, config), taught, lab.recipe(1, RATE))

    def _epochs(self, problem: Problem) -> float:
        return min(OFTEN, max(FEWEST, SEEN / max(1, len(problem.corpus.train))))


def _teacher(problem: Problem) -> tuple[Candidate, Seq2Seq, ModelConfig]:
    """The best Transformer so far; raises ConfigError where there is none."""
    lab = WritingLab.of(problem)
    ranked = sorted(problem.below, key=lambda pair: -pair[1])
    for candidate, _ in ranked:
        found = lab.kept(candidate.name)
        if found is not None and isinstance(found[0], Seq2Seq):
            return candidate, found[0], found[1]
    raise ConfigError("a student needs a Transformer to learn from, and none was trained below")


def halved(teacher: Seq2Seq, config: ModelConfig) -> Seq2Seq:
    """A model with every other block of the teacher's, and all else that it has."""
    student = _half(config).build()
    assert isinstance(student, Seq2Seq)
    sides: tuple[tuple[nn.Module, Backbone], ...] = (
        (student.encoder, teacher.encoder), (student.decoder, teacher.decoder)
    )  # fmt: skip
    for small, large in sides:
        assert isinstance(small, Backbone)
        small.load_state_dict(fewer_blocks(large, small.config.num_layers).state_dict())
    student.head.load_state_dict(teacher.head.state_dict())
    return student


def _half(config: ModelConfig) -> ModelConfig:
    """The configuration with half as many layers on both sides, one at least."""
    assert isinstance(config.decoder, BackboneConfig)
    sides = (config.transformer, config.decoder)
    body, reader = (replace(side, num_layers=max(1, side.num_layers // 2)) for side in sides)
    return replace(config, body=body, decoder=reader)
