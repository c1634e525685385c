"""The climb with rungs that only pretend to train: sharing of time, failures, and going on."""

from __future__ import annotations

import io
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from gradatim.engine.artifact import write_artifact
from gradatim.engine.constant import ConstantSession
from gradatim.errors import SourceError
from gradatim.ladder import climb as climbing
from gradatim.ladder.climb import Climb, climb
from gradatim.ladder.goals import goal_of
from gradatim.ladder.rung import Problem, Rung
from gradatim.ladder.state import ClimbFolder
from gradatim.ladder.table import LadderTable
from gradatim.types import Candidate, Corpus, Examples, Measurement, Task

EXAMPLES = Examples(["good", "bad"] * 3, None, np.array([1, 0] * 3))
CORPUS = Corpus("tiny", Task(("bad", "good")), EXAMPLES, EXAMPLES, None, digest="d")
FIGURES = Measurement(0.9, 0.8, 1.0, 1.0, 2.0, 100.0, 1.0, 50.0, 0.1)


@dataclass
class Pretender:
    """A rung of stated cost that notes how often it was run, with which limit and after which random draws."""

    name: str
    cost: float
    can_shorten: bool = False
    overrun: float = 0.0
    fault: str = ""
    limits: list[float | None] = field(default_factory=list)
    draws: list[float] = field(default_factory=list)
    built_on: list[int] = field(default_factory=list)

    def cost_s(self, problem: Problem) -> float:
        if self.fault:
            raise SourceError(self.fault)
        return self.cost

    def fit(self, problem: Problem) -> list[Candidate]:
        import torch

        self.limits.append(problem.limit_s)
        self.draws.append(torch.rand(()).item())
        self.built_on.append(len(problem.below))
        path = problem.folder / f"{self.name}.gradatim"
        session = ConstantSession(np.zeros(2, np.float32))
        write_artifact(
            path, kind="constant", task=problem.corpus.task, encoder={"kind": "none"},
            members={"model.npz": session.to_npz()},
        )  # fmt: skip
        spent = self.cost if problem.limit_s is None else min(self.cost, problem.limit_s)
        return [Candidate(self.name, self.name, str(path), spent + self.overrun, 2)]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measuring takes processes; here everything measures the same."""
    monkeypatch.setattr(climbing, "measure", lambda *_args: FIGURES)


def go(folder: Path, rungs: list[Rung], *, resume: bool = False, max_train_s: float | None = None) -> Climb:
    state = ClimbFolder(folder / "climb", {"data": "d"}, resume=resume)
    problem = Problem(CORPUS, goal_of(CORPUS.task), state.path, state.shared, "accuracy")
    table = LadderTable("accuracy", console=Console(file=io.StringIO()))
    with table:
        return climb(problem, rungs, state, table, max_train_s=max_train_s)


def names(found: Climb) -> list[str]:
    return [row.name for row in found.rows]


def test_without_a_limit_every_rung_runs_in_order(tmp_path: Path) -> None:
    rungs = [Pretender("a", 1), Pretender("b", 1e9)]
    found = go(tmp_path, rungs)
    assert names(found) == ["a", "b"]
    assert [rung.limits for rung in rungs] == [[None], [None]]
    assert [rung.built_on for rung in rungs] == [[0], [1]]


def test_cheap_rungs_are_not_starved_by_expensive_ones_ahead(tmp_path: Path) -> None:
    rungs = [Pretender("cheap", 1), Pretender("long", 1000, True), Pretender("longer", 3000, True)]
    found = go(tmp_path, rungs, max_train_s=2001)
    assert names(found) == ["cheap", "long", "longer"]
    assert rungs[1].limits == [pytest.approx(500)]  # a quarter of what the two may have
    assert rungs[2].limits == [pytest.approx(1500)]
    assert found.spent_s <= 2001


def test_rather_a_teacher_and_a_student_than_too_little_for_all(tmp_path: Path) -> None:
    rungs = [Pretender("teacher", 160, True), Pretender("big", 200, True), Pretender("small", 100, True)]
    found = go(tmp_path, rungs, max_train_s=70)
    assert names(found) == ["teacher", "small"]
    assert [rung.limits for rung in rungs] == [[40.0], [], [30.0]]


def test_what_a_skipped_rung_does_not_use_goes_to_the_later_ones(tmp_path: Path) -> None:
    rungs = [Pretender("long", 1000, True), Pretender("short", 100, True)]
    found = go(tmp_path, rungs, max_train_s=110)
    assert names(found) == ["short"]
    assert rungs[1].limits == [pytest.approx(100)]
    assert "--max-train-min" in found.dropped[0].why


def test_nothing_is_kept_back_for_a_rung_that_will_not_fit(tmp_path: Path) -> None:
    rungs = [Pretender("flexible", 8, True), Pretender("huge", 100)]
    assert names(go(tmp_path, rungs, max_train_s=10)) == ["flexible"]
    assert rungs[0].limits == [8]


def test_what_cannot_be_shortened_is_run_whole_or_not_at_all(tmp_path: Path) -> None:
    rungs = [Pretender("fits", 6), Pretender("does-not", 5), Pretender("small", 3)]
    found = go(tmp_path, rungs, max_train_s=10)
    assert names(found) == ["fits", "small"]
    assert [d.name for d in found.dropped] == ["does-not"]


@dataclass
class Modest(Pretender):
    """One that can do with less than others."""

    can_shorten: bool = True
    shortest: float = 0.1


def test_a_rung_may_say_itself_how_little_it_can_do_with(tmp_path: Path) -> None:
    rungs = [Pretender("usual", 100, True), Modest("modest", 100)]
    found = go(tmp_path, rungs, max_train_s=15)
    assert names(found) == ["modest"]
    assert rungs[1].limits == [15]
    assert [(d.name, "needs about 25 s" in d.why) for d in found.dropped] == [("usual", True)]


def test_what_trains_nothing_is_run_even_when_others_took_too_long(tmp_path: Path) -> None:
    rungs = [Pretender("late", 10, True, overrun=5), Pretender("free", 0)]
    assert names(go(tmp_path, rungs, max_train_s=10)) == ["late", "free"]


@pytest.mark.parametrize("limit", [None, 60.0])
def test_a_rung_that_fails_takes_no_other_with_it(tmp_path: Path, limit: float | None) -> None:
    rungs = [Pretender("a", 1), Pretender("b", 1, fault="no encoder"), Pretender("c", 1)]
    found = go(tmp_path, rungs, max_train_s=limit)
    assert names(found) == ["a", "c"]
    assert [(d.name, d.why) for d in found.dropped] == [("b", "no encoder")]


def test_a_resumed_climb_runs_what_is_missing_and_nothing_else(tmp_path: Path) -> None:
    first = [Pretender("a", 1), Pretender("b", 1)]
    go(tmp_path, first)
    second = [Pretender("a", 1), Pretender("b", 1), Pretender("c", 1)]
    found = go(tmp_path, second, resume=True)
    assert names(found) == ["a", "b", "c"]
    assert [len(rung.limits) for rung in second] == [0, 0, 1]
    assert second[2].built_on == [2]


def test_a_failed_rung_is_tried_again_and_what_is_above_it_is_built_anew(tmp_path: Path) -> None:
    go(tmp_path, [Pretender("a", 1), Pretender("b", 1, fault="no encoder"), Pretender("c", 1)])
    still = [Pretender("a", 1), Pretender("b", 1, fault="no encoder"), Pretender("c", 1)]
    assert names(go(tmp_path, still, resume=True)) == ["a", "c"]
    assert [len(rung.limits) for rung in still] == [0, 0, 0]
    mended = [Pretender("a", 1), Pretender("b", 1), Pretender("c", 1)]
    assert names(go(tmp_path, mended, resume=True)) == ["a", "b", "c"]
    assert [len(rung.limits) for rung in mended] == [0, 1, 1]
    assert mended[2].built_on == [2]


def test_a_rung_draws_the_same_numbers_whatever_ran_before(tmp_path: Path) -> None:
    alone, after = Pretender("b", 1), Pretender("b", 1)
    go(tmp_path / "one", [alone])
    go(tmp_path / "two", [Pretender("a", 1), after])
    assert alone.draws == after.draws


class Twins(Pretender):
    """Gives two candidates."""

    def fit(self, problem: Problem) -> list[Candidate]:
        (one,) = super().fit(problem)
        return [replace(one, name=f"{self.name}-1"), replace(one, name=f"{self.name}-2")]


def test_what_was_measured_stays_when_the_next_cannot_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def only_first(candidate: Candidate, *_: object) -> Measurement:
        if candidate.name == "twins-2":
            raise SourceError("it crashed")
        return FIGURES

    monkeypatch.setattr(climbing, "measure", only_first)
    rungs = [Twins("twins", 4), Pretender("above", 1)]
    found = go(tmp_path, rungs, max_train_s=100)
    assert names(found) == ["twins-1", "above"]
    assert [(d.name, d.why) for d in found.dropped] == [("twins", "it crashed")]
    assert rungs[1].built_on == [1]
    assert found.spent_s == pytest.approx(4 + 4 + 1), "the second took its time too"


class Failing(Pretender):
    """Trains for a while, in vain."""

    def fit(self, problem: Problem) -> list[Candidate]:
        time.sleep(0.2)
        raise SourceError("diverged")


def test_the_time_of_a_training_that_fails_is_spent(tmp_path: Path) -> None:
    found = go(
        tmp_path, [Failing("lost", 0.1), Pretender("fits", 99.7), Pretender("no", 0.2)], max_train_s=100
    )
    assert found.spent_s >= 0.2
    assert names(found) == ["fits"]
    assert [d.name for d in found.dropped] == ["lost", "no"]
