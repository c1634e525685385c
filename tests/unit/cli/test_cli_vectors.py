"""`gradatim vectors` on a small file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gradatim.cli import app

LINES = "man 1 0 0\nwoman 1 1 0\nking 3 0 3\nqueen 2.9 3 3.1\napple 0 0 -1\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "v.txt"
    path.write_text(LINES)
    return path


def run(*args: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gradatim", "vectors", *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True)


def test_near_convert_and_picture(file: Path, tmp_path: Path) -> None:
    assert run("near", file, "king - man + woman", "--top", 1).stdout.startswith("queen\t")
    assert run("convert", file, tmp_path / "v.bin").returncode == 0
    assert (
        run("near", tmp_path / "v.bin", "king", "--top", 1).stdout
        == run("near", file, "king", "--top", 1).stdout
    )
    for method in ("pca", "tsne"):
        done = run(
            "picture", file, "king", "queen", "man", "woman", "--method", method, "--out", tmp_path / "p.png"
        )
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")


def test_training_needs_no_affinity_of_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on macOS and Windows."""
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    (tmp_path / "text.txt").write_text("a cat and a dog and a cow .\n" * 20)
    words = [
        "vectors",
        "train",
        str(tmp_path / "text.txt"),
        "--width",
        "4",
        "--epochs",
        "1",
        "--window",
        "10",
    ]
    done = CliRunner().invoke(app, [*words, "--out", str(tmp_path / "v.bin")])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "v.bin").exists()


def test_evaluate_as_json(file: Path, tmp_path: Path) -> None:
    questions = tmp_path / "q.txt"
    questions.write_text(": family\nman woman king queen\n")
    done = run("evaluate", file, "--analogies", questions, "--similarity", tmp_path / "none", "--json")
    assert done.returncode == 2
    (tmp_path / "sets").mkdir()
    (tmp_path / "sets" / "EN-S.txt").write_text("king queen 9\nman apple 1\n")
    done = run("evaluate", file, "--analogies", questions, "--similarity", tmp_path / "sets", "--json")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["name"] for row in rows] == ["S", "family", "all"]
    assert rows[-1] == {"test": "analogies", "name": "all", "score": 100.0, "covered": 1, "total": 1}


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["near", "FILE", "zebra"], "no vector for 'zebra'"),
        (["near", "nowhere", "king"], "no word vectors 'nowhere'"),
        (["convert", "FILE", "v.npy"], ".txt or .bin"),
        (["picture", "FILE", "king", "man"], "three words"),
        (["picture", "FILE", "king", "king", "king"], "three words"),
        (["picture", "FILE", "king", "man", "woman", "--out", "p.xyz"], ".png"),
        (["picture", "FILE", "king", "man", "woman", "--out", "p.jpg"], ".png or .svg or .pdf"),
        (["train", "FILE", "--glove", "--negatives", "10", "--out", "v.bin"], "--negatives"),
        (["train", "FILE", "--window", "1025", "--out", "v.bin"], "at most 1024"),
        (["picture", "FILE", "king", "man", "woman", "--method", "umap"], "pca or tsne"),
    ],
)
def test_what_goes_wrong_is_said(file: Path, args: list[str], said: str) -> None:
    done = run(*(str(file) if arg == "FILE" else arg for arg in args))
    assert done.returncode == 2
    assert said in " ".join(done.stderr.split())
