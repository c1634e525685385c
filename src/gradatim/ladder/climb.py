"""The climb: rungs one after another, each exported, measured, and kept on disk when finished."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from gradatim.errors import GradatimError
from gradatim.ladder.measure import measure, write_texts
from gradatim.ladder.records import Dropped, Result, Row
from gradatim.ladder.rung import Problem, Rung
from gradatim.ladder.rungs.int8 import Int8Rung, gate
from gradatim.ladder.state import ClimbFolder
from gradatim.ladder.table import LadderTable
from gradatim.types import Candidate

SHORTEST = (
    0.25  # a rung that can do with fewer epochs is run with at least this share of them, or one of its own
)


@dataclass(slots=True)
class Climb:
    """What a climb has found so far: measured rows, and what was skipped or refused, with reasons.

    `failed_s` are training seconds of which no row came, since training or measuring failed.
    """

    results: list[Result] = field(default_factory=list)
    failed_s: float = 0.0

    @property
    def rows(self) -> list[Row]:
        return [result for result in self.results if isinstance(result, Row)]

    @property
    def dropped(self) -> list[Dropped]:
        return [result for result in self.results if isinstance(result, Dropped)]

    @property
    def below(self) -> tuple[tuple[Candidate, float], ...]:
        """The candidates so far with their quality, as a rung sees them."""
        return tuple((row.candidate, row.measurement.quality) for row in self.rows)

    @property
    def spent_s(self) -> float:
        """Training seconds so far; what is measured does not count."""
        return self.failed_s + sum(row.candidate.made_s for row in self.rows)


def climb(
    problem: Problem,
    rungs: Sequence[Rung],
    folder: ClimbFolder,
    table: LadderTable,
    *,
    max_train_s: float | None = None,
) -> Climb:
    """Run every rung that the training time allows; finished ones are taken from `folder`.

    A rung that fails is dropped with its reason and not recorded, so that a resumed climb tries it
    again; what was measured of it before that stays. If it then gives candidates, the rungs above it,
    which may build on them, are run anew.
    """
    found, changed = Climb(), False
    write_texts(problem.corpus.dev, texts := folder.path / "dev.jsonl")
    for number, rung in enumerate(rungs):
        results = None if changed else folder.finished(rung.name)
        if results is None:
            own = folder.rung(rung.name)
            here = replace(problem, folder=own, below=found.below, say=table.say, progress=table.progress)
            # Not below zero: what trains nothing runs even when others took longer than they were given.
            left = None if max_train_s is None else max(0.0, max_train_s - found.spent_s)
            results = []
            try:
                for result in _run(here, rungs[number:], found, texts, table, left):
                    table.settle(result)
                    results.append(result)
                folder.finish(rung.name, results)
            except GradatimError as error:
                results.append(Dropped(rung.name, str(error)))
                table.settle(results[-1])
            changed |= any(isinstance(result, Row) for result in results)
        else:
            for result in results:
                table.settle(result)
        found.results += results
    return found


def _run(
    problem: Problem,
    rungs: Sequence[Rung],
    found: Climb,
    texts: Path,
    table: LadderTable,
    left: float | None,
) -> Iterator[Result]:
    """The first of `rungs`: estimate, perhaps skip, train, measure, and for int8 the gate."""
    rung, limit = rungs[0], None
    cost = rung.cost_s(problem)
    if left is not None:
        limit, room = _share(problem, rungs, cost, left)
        if limit > room:
            why = f"needs about {limit:,.0f} s of training; {room:,.0f} s of --max-train-min are left"
            yield Dropped(rung.name, why)
            return
    table.start(rung.name, cost if limit is None else limit)
    torch.manual_seed(problem.seed)  # a rung gives the same whatever ran before it in this process
    began, below = time.perf_counter(), found.rows
    try:
        candidates = rung.fit(replace(problem, limit_s=limit))
    except GradatimError:
        found.failed_s += time.perf_counter() - began
        raise
    for number, candidate in enumerate(candidates):
        table.say(f"measuring {candidate.name} in a fresh process")
        try:
            row, refused = Row(candidate, measure(candidate, problem, texts)), None
        except GradatimError:
            found.failed_s += sum(one.made_s for one in candidates[number:])
            raise
        if candidate.rung == Int8Rung.name:
            source = next(other for other in below if other.name == candidate.source)
            refused = gate(row, source, problem.settings.tolerance)
        yield row if refused is None else Dropped(candidate.name, refused, "refused")


def _share(problem: Problem, rungs: Sequence[Rung], cost: float, left: float) -> tuple[float, float]:
    """The seconds that the first of `rungs` needs or may train, and those it has; it cannot if they are fewer.

    A rung that cannot be shortened takes what it needs if that is left. The others share what the
    former leave in proportion to their estimates, but each, in the order of the ladder, may have the
    least it can do with: a teacher and one student rather than too little for everyone.
    """
    first, *later = rungs
    if not _can_shorten(first):
        return cost, left
    flexible, room = cost, left
    for other in later:
        estimate = _estimate(problem, other)
        if _can_shorten(other):
            flexible += estimate
        elif estimate <= room:  # else it will be skipped
            room -= estimate
    share = cost / flexible if flexible > 0 else 0.0
    shortest: float = getattr(first, "shortest", SHORTEST)
    return min(cost, max(shortest * cost, room * share)), room


def _can_shorten(rung: Rung) -> bool:
    return bool(getattr(rung, "can_shorten", False))


def _estimate(problem: Problem, rung: Rung) -> float:
    """What a later rung will cost; nothing if it cannot be run, which is said when its turn comes."""
    try:
        return rung.cost_s(problem)
    except GradatimError:
        return 0.0
