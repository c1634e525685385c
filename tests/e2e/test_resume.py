"""A climb that was stopped goes on where it stood and ends as if nothing had happened."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gradatim.engine.artifact import read_artifact

pytestmark = pytest.mark.slow
RUNGS = ("linear", "finetuned", "student-2l", "student-bilstm")


@pytest.fixture
def command(tmp_path: Path, encoder: Path, tools: Any) -> Callable[..., list[str]]:
    data = tools.write_csv(tmp_path / "data.csv", tools.make_rows("multi-class"))

    def build(out: str, *more: object) -> list[str]:
        args = (
            "fit", data, "--encoder", encoder, "--epochs", 1, "--threads", 1, "--rungs", ",".join(RUNGS),
            "--out", out, "--report", f"{out}.html", *more,
        )  # fmt: skip
        return [str(arg) for arg in args]

    return build


def stop(
    folder: Path, args: list[str], done: Path, how: signal.Signals, environment: dict[str, str]
) -> tuple[int, str]:
    """Start `gradatim`, stop it as soon as `done` exists; its exit code and stderr."""
    process = subprocess.Popen(
        [sys.executable, "-m", "gradatim", *args], cwd=folder, env=environment, text=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    deadline = time.monotonic() + 90
    while not done.exists():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline, "the rung did not finish in time"
        time.sleep(0.01)
    process.send_signal(how)
    return process.wait(30), process.communicate()[1]


def test_killed_and_resumed_is_as_never_interrupted(
    tmp_path: Path, command: Callable[..., list[str]], tools: Any
) -> None:
    whole = tools.gradatim(tmp_path, *command("whole.gradatim"))
    assert whole.code == 0, whole.err
    parts, whole_folder = tmp_path / "parts.climb", tmp_path / "whole.climb"
    last = parts / "finetuned" / "done.json"
    code, _ = stop(tmp_path, command("parts.gradatim"), last, signal.SIGKILL, tools.environment())
    assert code == -signal.SIGKILL
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in parts.glob("*/done.json")}
    assert {path.parent.name for path in before} == {"linear", "finetuned"}

    resumed = tools.gradatim(tmp_path, *command("parts.gradatim", "--resume"))
    assert resumed.code == 0, resumed.err
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in before} == before
    there, here = tools.climbed(whole_folder), tools.climbed(parts)
    assert here.keys() == there.keys()
    for name in there:
        assert qualities(here[name]) == qualities(there[name]), name
        one, other = (read_artifact(root / name / f"{name}.gradatim") for root in (parts, whole_folder))
        assert one.members == other.members, f"{name} has other weights"
        assert one.decision == other.decision
    assert (tmp_path / "parts.gradatim").exists()


def qualities(rung: dict[str, Any]) -> dict[str, float]:
    return {row["candidate"]["name"]: row["measurement"]["quality"] for row in rung["rows"]}


def test_ctrl_c_ends_with_130_and_a_hint_and_other_settings_are_refused(
    tmp_path: Path, command: Callable[..., list[str]], tools: Any
) -> None:
    done = tmp_path / "stopped.climb" / "linear" / "done.json"
    code, said = stop(tmp_path, command("stopped.gradatim"), done, signal.SIGINT, tools.environment())
    assert code == 130
    assert "--resume" in said
    assert "Traceback" not in said
    assert not (tmp_path / "stopped.gradatim").exists()
    record = done.read_bytes()
    for option, name in ((("--seed", "1"), "data, seed"), (("--rungs", "linear"), "rungs")):
        other = tools.gradatim(tmp_path, *command("stopped.gradatim", "--resume", *option))
        assert other.code == 2
        assert f"({name})" in other.err
        assert "Traceback" not in other.err
    assert done.read_bytes() == record


def test_a_moved_climb_goes_on_and_a_new_budget_trains_nothing(
    tmp_path: Path, run: Callable[..., Any], tools: Any
) -> None:
    tools.reviews(tmp_path / "data.csv")
    fit = ("fit", "data.csv", "--rungs", "majority,linear", "--threads", 1)
    assert run(*fit).code == 0
    (tmp_path / "model.climb").rename(tmp_path / "kept")
    before = tools.climbed(tmp_path / "kept")
    said = run(*fit, "--resume", "--folder", "kept", "--max-mb", 0.005, "--out", "small.gradatim")
    assert said.code == 0, said.err
    assert read_artifact(tmp_path / "small.gradatim").provenance["candidate"] == "majority"
    assert tools.climbed(tmp_path / "kept") == before


def test_a_folder_of_someone_else_is_never_emptied(
    tmp_path: Path, run: Callable[..., Any], tools: Any
) -> None:
    tools.reviews(tmp_path / "data.csv")
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work", encoding="utf-8")
    for resume in ([], ["--resume"]):
        said = run("fit", "data.csv", "--rungs", "majority", "--folder", "mine", *resume)
        assert said.code == 2
        assert "mine" in said.err
        assert "--folder" in said.err
    assert [path.name for path in mine.iterdir()] == ["thesis.txt"]
