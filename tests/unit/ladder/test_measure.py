"""Measuring an exported file in processes of its own."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from gradatim.errors import GradatimError
from gradatim.ladder import measure as measuring
from gradatim.ladder.goals import goal_of
from gradatim.ladder.measure import measure, measured_answers, peak_bytes, write_texts
from gradatim.ladder.rung import Problem
from gradatim.tasks.open import load
from gradatim.types import Candidate, Corpus, Examples, Task

TASK = Task(("negative", "positive"))
TEXTS = [
    "good film",
    "bad\0 film\u2028!",
    "",
    "the film is " + "very " * 40 + "good",
    "caf\u00e9",
    "a" * 5000,
]


@pytest.fixture
def dev() -> Examples:
    return Examples(TEXTS, None, np.array([1, 0, 1, 0, 1, 0]))


def candidate(artifact: Path) -> Candidate:
    return Candidate("tiny", "tiny", str(artifact), 0.0, 10)


def test_figures_are_those_of_the_file(tiny_artifact: Path, tmp_path: Path, dev: Examples) -> None:
    problem = Problem(Corpus("tiny", TASK, dev, dev, None), goal_of(TASK), tmp_path, tmp_path, "accuracy")
    write_texts(dev, texts := tmp_path / "dev.jsonl")
    assert [json.loads(line)[0] for line in texts.read_bytes().splitlines()] == TEXTS
    seen = measure(candidate(tiny_artifact), problem, texts)
    answers = measured_answers(candidate(tiny_artifact))
    assert "thresholds" not in answers
    wanted = load(tiny_artifact, threads=1).probabilities(TEXTS)
    np.testing.assert_allclose(answers["probabilities"], wanted, atol=1e-6)
    right = float((wanted.argmax(1) == dev.targets).mean())
    assert seen.quality == pytest.approx(right)
    assert seen.low <= seen.quality <= seen.high
    assert 0 < seen.p50_ms <= seen.p95_ms
    assert seen.size_mb == tiny_artifact.stat().st_size / 1e6
    assert 10 < seen.peak_mb < 200, "a process without torch"
    assert 0.02 < seen.cold_start_s < 30
    assert seen.texts_per_s > 0
    assert seen.cut_tokens == 0
    assert seen.extra["accuracy"] == pytest.approx(right)


def test_a_file_that_cannot_be_run_is_said_in_one_line(tmp_path: Path, dev: Examples) -> None:
    broken = tmp_path / "broken.gradatim"
    broken.write_bytes(b"PK nothing")
    problem = Problem(Corpus("tiny", TASK, dev, dev, None), goal_of(TASK), tmp_path, tmp_path, "accuracy")
    write_texts(dev, texts := tmp_path / "dev.jsonl")
    with pytest.raises(GradatimError, match=r"measuring .*broken\.gradatim failed") as caught:
        measure(candidate(broken), problem, texts)
    assert "\n" not in str(caught.value)


def test_peak_memory_is_at_least_what_is_held_now() -> None:
    held = np.ones(64 << 20, dtype=np.uint8)
    assert peak_bytes() > held.nbytes


def test_pairs_are_written_as_two_texts(tmp_path: Path) -> None:
    write_texts(Examples(["one"], ["two"], np.array([0])), path := tmp_path / "dev.jsonl")
    assert json.loads(path.read_text(encoding="utf-8")) == ["one", "two"]


class Recorded:
    """A model that says when it is asked for answers to how many texts."""

    def __init__(self, order: list[str]) -> None:
        self.order = order

    def __call__(self, *_row: str) -> None:
        pass

    def answers(self, texts: list[str], pairs: list[str] | None) -> dict[str, np.ndarray]:
        assert pairs is None
        self.order.append(f"answers to {len(texts)}")
        return {"cut_tokens": np.array(0)}


def test_throughput_is_that_of_a_warm_model_and_its_memory_without_all_answers(
    tmp_path: Path, dev: Examples, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    monkeypatch.setattr(measuring, "load_judged", lambda *_args, **_options: Recorded(order))
    monkeypatch.setattr(measuring, "peak_bytes", lambda: order.append("peak") or 5e6)
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    write_texts(dev, texts := tmp_path / "dev.jsonl")
    measuring._run("any", str(texts), str(tmp_path / "out.npz"), 1)
    assert order == ["answers to 2", "peak", f"answers to {len(dev)}"]
    with np.load(tmp_path / "out.npz") as found:
        assert found["peak_mb"] == 5


def test_a_cold_start_ends_with_the_first_prediction(
    tiny_artifact: Path, tmp_path: Path, dev: Examples, monkeypatch: pytest.MonkeyPatch
) -> None:
    lingering = "import atexit, time\natexit.register(time.sleep, 20)\n"
    (tmp_path / "sitecustomize.py").write_text(lingering)
    monkeypatch.setattr(measuring, "COLD_STARTS", 1)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "OMP_NUM_THREADS": "1"}
    began = time.perf_counter()
    assert 0 < measuring._cold_start(tiny_artifact, dev, environment) < 20
    assert time.perf_counter() - began > 20, "the process did linger"
