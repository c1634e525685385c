"""The climb: rungs one after another, each exported, measured, and kept on disk when finished."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch

from gradatim.errors import GradatimError
from gradatim.ladder.measure import measure, write_texts
from gradatim.ladder.records import Dropped, Row
from gradatim.ladder.rung import Problem, Rung
from gradatim.ladder.rungs.int8 import Int8Rung, gate
from gradatim.ladder.state import ClimbFolder
from gradatim.ladder.table import LadderTable
from gradatim.types import Array

SHORTEST = 0.25  # a rung that can do with fewer epochs is run with at least this share of them


@dataclass(slots=True)
class Climb:
    """What a climb has found so far: measured rows, and what was skipped or refused, with reasons."""

    rows: list[Row] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)

    @property
    def spent_s(self) -> float:
        """Training seconds so far; what is measured does not count."""
        return sum(row.candidate.made_s for row in self.rows)


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
    again; if it then gives candidates, the rungs above it, which may build on them, are run anew.
    """
    found, changed = Climb(), False
    write_texts(problem.corpus.dev, texts := folder.path / "dev.jsonl")
    for number, rung in enumerate(rungs):
        finished = None if changed else folder.finished(rung.name)
        if finished is None:
            here = replace(
                problem,
                folder=folder.rung(rung.name),
                shared=folder.shared,
                below=tuple((row.candidate, row.measurement.quality) for row in found.rows),
                say=table.say,
                progress=table.progress,
            )
            try:
                finished = _run(here, rung, rungs[number + 1 :], found, texts, table, max_train_s)
                folder.finish(rung.name, *finished)
            except GradatimError as error:
                table.skip(rung.name, str(error))
                finished = [], [Dropped(rung.name, str(error))]
            changed |= bool(finished[0])
        else:
            for row in finished[0]:
                table.finish(row)
            for dropped in finished[1]:
                (table.skip if dropped.kind == "skipped" else table.refuse)(dropped.name, dropped.why)
        found.rows += finished[0]
        found.dropped += finished[1]
    return found


def _run(
    problem: Problem,
    rung: Rung,
    later: Sequence[Rung],
    found: Climb,
    texts: Path,
    table: LadderTable,
    max_train_s: float | None,
) -> tuple[list[Row], list[Dropped]]:
    """One rung: estimate, perhaps skip, train, measure, and for int8 the gate; GradatimError if it fails."""
    cost = rung.cost_s(problem)
    limit = None
    if max_train_s is not None:
        limit, why = _share(problem, rung, cost, later, max_train_s - found.spent_s)
        if why is not None:
            table.skip(rung.name, why)
            return [], [Dropped(rung.name, why)]
    table.start(rung.name, cost if limit is None else min(cost, limit))
    torch.manual_seed(problem.seed)  # a rung gives the same whatever ran before it in this process
    rows, dropped = [], []
    for candidate in rung.fit(replace(problem, limit_s=limit)):
        table.say(f"measuring {candidate.name} in a fresh process")
        measurement, _ = measure(
            candidate,
            problem.corpus.task,
            problem.corpus.dev,
            texts,
            metric=problem.metric,
            threads=problem.threads,
            seed=problem.seed,
        )
        row = Row(candidate, measurement)
        refused = None
        if candidate.rung == Int8Rung.name:
            source = next(r for r in found.rows if r.name == candidate.source)
            refused = gate(row, source, problem.settings.tolerance)
        if refused is None:
            rows.append(row)
            table.finish(row)
        else:
            dropped.append(Dropped(candidate.name, refused, "refused"))
            table.refuse(candidate.name, refused)
    return rows, dropped


def _share(
    problem: Problem, rung: Rung, cost: float, later: Sequence[Rung], left: float
) -> tuple[float, str | None]:
    """The seconds this rung may train, and why it cannot, if so.

    A rung that cannot be shortened takes what it needs if that is left. The others share what the
    former leave in proportion to their estimates, but each, in the order of the ladder, may have the
    least it can do with: a teacher and one student rather than too little for everyone.
    """
    if not _can_shorten(rung):
        why = f"needs about {cost:.3g} s of training; {max(0.0, left):.3g} s of --max-train-min are left"
        return cost, why if cost > left else None
    costs = [(_can_shorten(other), _estimate(problem, other)) for other in later]
    flexible = cost + sum(seconds for shortens, seconds in costs if shortens)
    room = left
    for shortens, seconds in costs:
        if not shortens and seconds <= room:  # else it will be skipped
            room -= seconds
    share = cost / flexible if flexible > 0 else 0.0
    limit = min(cost, max(SHORTEST * cost, room * share))
    if limit > room:
        why = f"needs about {cost:.3g} s of training; {max(0.0, room):.3g} s of --max-train-min are left"
        return 0.0, why
    return limit, None


def _can_shorten(rung: Rung) -> bool:
    return bool(getattr(rung, "can_shorten", False))


def _estimate(problem: Problem, rung: Rung) -> float:
    """What a later rung will cost; nothing if it cannot be run, which is said when its turn comes."""
    try:
        return rung.cost_s(problem)
    except GradatimError:
        return 0.0


def probabilities_of(row: Row) -> tuple[Array, Array | None]:
    """What the measured candidate answered on dev, and its thresholds."""
    path = Path(row.candidate.artifact).with_suffix(".measured.npz")
    with np.load(path, allow_pickle=False) as stored:
        return stored["probabilities"], stored["thresholds"]
