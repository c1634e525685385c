"""`gradatim train`: killed at any moment it goes on bit for bit, and two processes train as one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from gradatim.checkpoint.folder import read_model
from gradatim.models.language import LanguageModel

RECIPE = """
[model]
preset = "bert"
num_layers = 2
width = 16
num_heads = 2
ffn_width = 32
dropout = {dropout}
attention_dropout = {dropout}
[data]
source = "texts.txt"
tokenizer = "{tokenizer}"
max_length = 12
[objective]
kind = "masked"
[train]
epochs = 8
batch_size = 4
rate = 3e-3
ema = 0.9
log_every = 1
save_every = 4
precision = "fp32"
"""


@pytest.fixture
def folder(tmp_path: Path, encoder: Path, tools: Any) -> Callable[[float], Path]:
    """A folder with a recipe of so much dropout, and its text."""

    def make(dropout: float) -> Path:
        rows = tools.make_rows("multi-class")
        (tmp_path / "texts.txt").write_text(" ".join(row["text"] for row in rows))
        (tmp_path / "recipe.toml").write_text(RECIPE.format(tokenizer=encoder, dropout=dropout))
        return tmp_path

    return make


def checkpoints(run: Path) -> list[str]:
    return sorted(path.name for path in (run / "checkpoints").glob("step-*"))


def losses(run: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (run / "log.jsonl").read_text().splitlines()]


def same(one: Path, other: Path) -> bool:
    mine, theirs = load_file(one), load_file(other)
    return mine.keys() == theirs.keys() and all(torch.equal(mine[name], theirs[name]) for name in mine)


def kill(folder: Path, args: list[str], run: Path, after: int, environment: dict[str, str]) -> None:
    """Start `gradatim`, and kill it once there is a checkpoint of a step beyond `after`."""
    with subprocess.Popen(
        [sys.executable, "-m", "gradatim", *args], cwd=folder, env=environment,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        deadline = time.monotonic() + 300
        while not any(int(name[5:14]) > after for name in checkpoints(run)):
            assert process.poll() is None, "it ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        assert process.wait(30) == -signal.SIGKILL


@pytest.mark.slow
def test_killed_and_resumed_is_as_never_stopped(folder: Callable[[float], Path], tools: Any) -> None:
    here = folder(0.1)
    whole = tools.gradatim(here, "train", "recipe.toml", timeout=600)
    assert whole.code == 0, whole.err
    assert "tokens/s" in whole.out
    last = checkpoints(here / "recipe")[-1]
    total = int(last[5:14])
    assert total > 100
    args = ["train", "recipe.toml", "--out", "parts", "--resume"]
    for after in (0, total // 3):
        kill(here, args, here / "parts", after, tools.environment())
    reached = max(int(name[5:14]) for name in checkpoints(here / "parts"))
    assert total // 3 < reached < total
    resumed = tools.gradatim(here, *args, timeout=600)
    assert resumed.code == 0, resumed.err
    assert same(here / "recipe" / "checkpoints" / last, here / "parts" / "checkpoints" / last)
    assert same(here / "recipe/model/model.safetensors", here / "parts/model/model.safetensors")
    assert losses(here / "parts") == losses(here / "recipe")
    assert len(losses(here / "recipe")) == total
    assert isinstance(read_model(here / "parts/model").model, LanguageModel)

    again = tools.gradatim(here, "train", "recipe.toml")
    assert again.code == 2
    assert "--resume" in again.err
    other = tools.gradatim(here, *args, "train.rate=1e-3")
    assert other.code == 2
    assert "rate was 0.003, is 0.001" in other.err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("batches", "parts"),
    [("train.batch_size=7", 1), ("train.batch_size=7", 3), ("train.max_tokens=12", 1)],
    ids=["halves", "sixths", "one row and one idle process"],
)
def test_two_processes_train_as_one(
    folder: Callable[[float], Path], tools: Any, batches: str, parts: int
) -> None:
    here = folder(0.0)
    args = ["recipe.toml", f"train.accumulate={parts}", "train.epochs=1.6", batches]
    alone = tools.gradatim(here, "train", "recipe.toml", "train.epochs=1.6", batches, timeout=600)
    assert alone.code == 0, alone.err
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "-m"]
    both = subprocess.run(
        [*launch, "gradatim", "train", *args, "--out", "both"], cwd=here, capture_output=True, text=True,
        env={**tools.environment(), "ACCELERATE_USE_CPU": "true"}, timeout=600, check=False,
    )  # fmt: skip
    assert both.returncode == 0, both.stderr
    ours, theirs = losses(here / "both"), losses(here / "recipe")
    assert len(ours) == len(theirs) > 15
    assert ours == pytest.approx(theirs, rel=1e-5)
    assert load_file(here / "both/checkpoints" / checkpoints(here / "both")[-1])["draws.cpu"].shape[0] == 2


@pytest.mark.slow
def test_accelerate_launch_changes_nothing(folder: Callable[[float], Path], tools: Any) -> None:
    here = folder(0.1)
    assert tools.gradatim(here, "train", "recipe.toml", "train.epochs=1", timeout=600).code == 0
    launched = subprocess.run(
        [sys.executable, "-m", "accelerate.commands.launch", "--cpu", "--num_processes", "1", "--num_machines", "1",
         "--mixed_precision", "no", "--dynamo_backend", "no",
         "-m", "gradatim", "train", "recipe.toml", "train.epochs=1", "--out", "launched"],
        cwd=here, capture_output=True, text=True, env={**os.environ, **tools.environment()}, timeout=600, check=False,
    )  # fmt: skip
    assert launched.returncode == 0, launched.stderr
    assert same(here / "recipe/model/model.safetensors", here / "launched/model/model.safetensors")


def test_an_unknown_key_is_refused_with_the_nearest(
    folder: Callable[[float], Path], run: Callable[..., Any]
) -> None:
    folder(0.1)
    said = run("train", "recipe.toml", "train.warmpu=0.2")
    assert said.code == 2
    assert "recipe.toml: [train] has no key 'warmpu'; did you mean 'warmup'?" in said.err
