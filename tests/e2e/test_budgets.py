"""Budgets that cannot be met, training time that runs out, an encoder that cannot be had."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gradatim.data import hub
from gradatim.engine.artifact import read_artifact

Run = Callable[..., Any]
FIT = ("fit", "data.csv", "--threads", 1)
NEURAL = {"frozen", "few", "student-3l", "student-2l", "student-bilstm"}


@pytest.fixture(autouse=True)
def data(tmp_path: Path, tools: Any) -> Path:
    path: Path = tools.reviews(tmp_path / "data.csv")
    return path


def test_an_impossible_budget_ends_with_3_and_force_writes_the_nearest(
    run: Run, tmp_path: Path, tools: Any
) -> None:
    fit = (*FIT, "--rungs", "majority,linear", "--max-ms", 0.0001)
    refused = run(*fit)
    assert refused.code == 3
    assert "--max-ms" in refused.err
    assert "--force" in refused.err
    report = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "relax --max-ms" in report
    assert not (tmp_path / "model.gradatim").exists()
    forced = run(*fit, "--resume", "--force")
    assert forced.code == 0, forced.err
    rows = [row for rung in tools.climbed(tmp_path / "model.climb").values() for row in rung["rows"]]
    assert {row["candidate"]["name"] for row in rows} == {"majority", "linear"}
    nearest = min(rows, key=lambda row: row["measurement"]["p95_ms"])  # on a busy machine either may be
    assert read_artifact(tmp_path / "model.gradatim").provenance["candidate"] == nearest["candidate"]["name"]
    again = run(*fit, "--resume")
    assert again.code == 3
    assert "earlier" in again.err  # what lies there is not of this climb


def test_little_training_time_skips_what_is_expensive_and_says_so(
    run: Run, tmp_path: Path, encoder: Path, tools: Any
) -> None:
    said = run(*FIT, "--encoder", encoder, "--max-train-min", 0.006)
    assert said.code == 0, said.err
    climb = tools.climbed(tmp_path / "model.climb")
    assert [row["candidate"]["name"] for row in climb["ngram"]["rows"]] == ["ngram"]
    for name in ("linear", "frozen", "student-bilstm"):
        (dropped,) = climb[name]["dropped"]
        assert "--max-train-min" in dropped["why"]
        assert climb[name]["rows"] == []
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "--max-train-min" in page


def test_no_training_time_at_all_ends_with_3(run: Run, tmp_path: Path) -> None:
    said = run(*FIT, "--rungs", "majority,linear", "--max-train-min", 0)
    assert said.code == 3
    assert "majority" in said.err
    assert "linear" in said.err
    assert not (tmp_path / "model.gradatim").exists()


@pytest.mark.parametrize("minutes", [(), ("--max-train-min", 5)])
def test_an_encoder_that_cannot_be_had_leaves_the_classical_rungs(
    run: Run, tmp_path: Path, tools: Any, monkeypatch: pytest.MonkeyPatch, minutes: tuple[object, ...]
) -> None:
    asked = []
    monkeypatch.setattr(hub, "reachable", lambda: asked.append(1) and False)
    said = run(*FIT, "--encoder", "someone/no-such-bert", *minutes)
    assert said.code == 0, said.err
    assert len(asked) == 1, "the hub is asked once, not by every rung"
    climb = tools.climbed(tmp_path / "model.climb")
    assert climb.keys() == {"majority", "ngram", "linear", "int8"}  # the others are tried again on --resume
    for name in NEURAL:
        assert f"{name}: skipped, no model 'someone/no-such-bert'" in said.out
    assert read_artifact(tmp_path / "model.gradatim").provenance["candidate"] in {"ngram", "linear"}


def test_a_rung_that_failed_for_want_of_its_encoder_is_climbed_on_resume(
    run: Run, tmp_path: Path, encoder: Path, tools: Any
) -> None:
    fit = (*FIT, "--encoder", "late-bert", "--rungs", "majority,frozen", "--epochs", 1)
    late = tmp_path / "late-bert"
    assert run(*fit).code == 0
    assert tools.climbed(tmp_path / "model.climb").keys() == {"majority"}
    late.symlink_to(encoder)
    said = run(*fit, "--resume")
    assert said.code == 0, said.err
    assert tools.climbed(tmp_path / "model.climb").keys() == {"majority", "frozen"}
