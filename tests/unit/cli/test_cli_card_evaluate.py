"""`gradatim card` and `gradatim evaluate`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gradatim.cli import app
from gradatim.engine.artifact import rewrite_artifact, write_artifact
from gradatim.tasks.open import load
from gradatim.types import KINDS, Kind, Task

ROWS = [
    ("good film", "positive"),
    ("bad", "negative"),
    ("not very good", "negative"),
    ("the film !", "positive"),
]


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GRADATIM_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "labelled.csv"
    path.write_text("text,label\n" + "".join(f"{a},{b}\n" for a, b in ROWS), encoding="utf-8")
    return path


def run(*args: object) -> Result:
    return CliRunner().invoke(app, [str(arg) for arg in args])


def test_card_shows_card_and_facts(tiny_artifact: Path) -> None:
    rewrite_artifact(tiny_artifact, metrics={"accuracy": 0.875})
    result = run("card", tiny_artifact)
    assert result.exit_code == 0
    for fact in ("Tiny", "For tests only.", "negative, positive", "accuracy 0.875", "model.onnx"):
        assert fact in result.stdout


@pytest.mark.parametrize("kind", KINDS)
def test_card_says_what_fits_the_task(tmp_path: Path, kind: Kind) -> None:
    labels = ("A", "B") if kind in ("classification", "tagging", "table") else ()
    path = tmp_path / "some.gradatim"
    write_artifact(path, kind="some", task=Task(labels, kind=kind), encoder={}, members={"a": b"b"})
    told = run("card", path).stdout
    assert ("one label each" in told) == (kind == "classification")
    assert ("2: A, B" in told) == bool(labels)
    assert "0:" not in told
    assert "(" in told


def test_card_as_json_is_the_manifest(tiny_artifact: Path) -> None:
    manifest = json.loads(run("card", tiny_artifact, "--json").stdout)
    assert manifest["task"] == {
        "labels": ["negative", "positive"],
        "multi_label": False,
        "pairs": False,
        "kind": "classification",
    }
    assert set(manifest["members"]) == {"card.md", "model.onnx", "tokenizer.json"}


def test_evaluate_as_json_maps_names_to_numbers(tiny_artifact: Path, data: Path) -> None:
    result = run("evaluate", tiny_artifact, data, "--json")
    assert result.exit_code == 0, result.stderr
    metrics = json.loads(result.stdout)
    predicted = [p.label for p in load(tiny_artifact)([text for text, _ in ROWS])]
    right = sum(a == b for a, (_, b) in zip(predicted, ROWS, strict=True))
    assert metrics["accuracy"] == pytest.approx(right / 4)
    assert (metrics["n"], metrics["cut_tokens"]) == (4, 0)
    assert {"macro_f1", "micro_f1", "f1", "matthews", "log_loss", "ece", "texts_per_s"} <= metrics.keys()
    assert all(isinstance(value, int | float) for value in metrics.values())
    assert "text" in result.stderr  # the chosen columns are said aloud


def test_evaluate_for_people(tiny_artifact: Path, data: Path) -> None:
    result = run("evaluate", tiny_artifact, data)
    assert result.exit_code == 0, result.stderr
    for word in ("accuracy", "log_loss", "positive", "negative"):
        assert word in result.stdout


def test_evaluate_names_a_wrong_column(tiny_artifact: Path, data: Path) -> None:
    result = run("evaluate", tiny_artifact, data, "--label", "lable")
    assert result.exit_code == 2
    assert "label" in result.stderr
