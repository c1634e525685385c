"""What the report adds: taken from the measured file, from the test split once, and from what is at hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gradatim.ladder import evidence as gathering
from gradatim.ladder.evidence import gather_evidence
from gradatim.ladder.evidence import test_results as results_on_test
from gradatim.ladder.goals import goal_of
from gradatim.ladder.measure import measure, write_texts
from gradatim.ladder.records import Choice, Row
from gradatim.ladder.rung import Problem
from gradatim.ladder.rungs.linear import LinearRung
from gradatim.types import Budget, Corpus, Examples, Task

TEXTS = [f"{'a deft and warm' if i % 2 else 'a stale and dull'} film , take {i}" for i in range(40)]
ROWS = Examples(TEXTS, None, np.arange(40) % 2)
CORPUS = Corpus("tiny", Task(("bad", "good")), ROWS, ROWS.take(range(10)), ROWS.take(range(10, 20)))


@pytest.fixture(scope="module")
def problem(tmp_path_factory: pytest.TempPathFactory) -> Problem:
    folder = tmp_path_factory.mktemp("climb")
    return Problem(CORPUS, goal_of(CORPUS.task), folder, folder, "accuracy")


@pytest.fixture(scope="module")
def row(problem: Problem) -> Row:
    (candidate,) = LinearRung().fit(problem)
    write_texts(CORPUS.dev, texts := problem.folder / "dev.jsonl")
    return Row(candidate, measure(candidate, problem, texts))


def choice(chosen: Row | None, runner_up: Row | None) -> Choice:
    return Choice(Budget(), chosen, runner_up, chosen, None, ())


def test_evidence_is_about_the_measured_file(
    problem: Problem, row: Row, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathering.Lab, "of", lambda _problem: pytest.fail("the encoder was not asked for"))
    evidence = gather_evidence(problem, row)
    assert evidence.probabilities.shape == (10, 2)
    right = (evidence.probabilities.argmax(1) == CORPUS.dev.targets).mean()
    assert right == pytest.approx(row.measurement.quality)
    assert evidence.thresholds is None
    assert [point.num_labels for point in evidence.learning][-1] == 40


def test_a_wrong_label_is_suspected_under_its_own_row_number(problem: Problem, row: Row) -> None:
    targets = ROWS.targets.copy()
    targets[7] = 0
    corpus = replace(CORPUS, train=replace(ROWS, targets=targets))
    evidence = gather_evidence(replace(problem, corpus=corpus), row)
    assert [(s.row, s.label, s.other) for s in evidence.suspects] == [(7, "bad", "good")]


def test_the_test_split_is_asked_about_two_candidates_at_most(problem: Problem, row: Row) -> None:
    ((name, quality),) = results_on_test(problem, choice(row, None)).items()
    assert name == row.name
    assert quality.value == pytest.approx(1.0)
    assert results_on_test(problem, choice(None, None)) == {}
    without = replace(problem, corpus=replace(CORPUS, test=None))
    assert results_on_test(without, choice(row, None)) == {}
