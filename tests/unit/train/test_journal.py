"""The log of a run: one line per record, cut where a killed run goes on, and TensorBoard where there is one."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from gradatim.train import journal as room
from gradatim.train.journal import Journal, read_log


def write(folder: Path | None, steps: list[int], after: int = 0) -> None:
    with Journal(folder, after=after, steps=9) as journal:
        for step in steps:
            journal.write({"step": step, "loss": step / 2})


def test_lines_after_the_checkpoint_go_and_so_does_half_a_line(tmp_path: Path) -> None:
    write(tmp_path, [1, 2, 3, 4])
    with (tmp_path / "log.jsonl").open("a") as log:
        log.write('{"step": 5, "lo')
    assert [record["step"] for record in read_log(tmp_path / "log.jsonl")] == [1, 2, 3, 4]
    write(tmp_path, [3, 4, 5], after=2)
    assert read_log(tmp_path / "log.jsonl") == [{"step": step, "loss": step / 2} for step in range(1, 6)]


def test_a_new_run_begins_a_new_log(tmp_path: Path) -> None:
    write(tmp_path, [1, 2])
    write(tmp_path, [1])
    assert len(read_log(tmp_path / "log.jsonl")) == 1


def test_a_run_without_a_folder_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(None, [1, 2])
    assert not list(tmp_path.iterdir())


def test_tensorboard_gets_every_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[Any] = []

    class Writer:
        def __init__(self, folder: str, purge_step: int) -> None:
            said.append((Path(folder).name, purge_step))

        def add_scalar(self, name: str, value: float, step: int) -> None:
            said.append((name, value, step))

        def close(self) -> None:
            said.append("closed")

    module = ModuleType("torch.utils.tensorboard.writer")
    monkeypatch.setattr(module, "SummaryWriter", Writer, raising=False)
    for name in ("torch.utils.tensorboard", "torch.utils.tensorboard.writer"):
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(room, "find_spec", lambda name: name == "tensorboard")
    write(tmp_path, [8], after=6)
    assert said == [("events", 7), ("loss", 4.0, 8), "closed"]
