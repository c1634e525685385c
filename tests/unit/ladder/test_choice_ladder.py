"""A ladder of models that choose: every rung, the finished file by all its doors, the report."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tiny_climbs import climb, measured
from typer.testing import CliRunner

import gradatim
from gradatim.cli import app
from gradatim.engine.artifact import read_artifact

PLACES = ["rome", "oslo", "lima", "kyoto", "turin", "quito"]
RUNGS = ["overlap", "finetuned", "student-2l", "int8"]


def write(path: Path, count: int, seed: int) -> Path:
    """Dialogues as DREAM has them; the place that was spoken of is the answer."""
    rng, items = np.random.default_rng(seed), []
    for number in range(count):
        offered = [str(place) for place in rng.choice(PLACES, 3, replace=False)]
        turns = ["m: where do you live ?", f"w: in {offered[0]} ."]
        row = {"question": "where is it ?", "choice": sorted(offered), "answer": offered[0]}
        items.append([turns, [row], f"{seed}-{number}"])
    path.write_text(json.dumps(items), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def climbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("choices")
    for seed, (split, count) in enumerate({"train": 60, "dev": 30, "test": 10}.items()):
        write(folder / f"{split}.json", count, seed)
    lines = [f"{place} m: where do you live ? w: in . is it" for place in PLACES]
    return climb(folder, lines, RUNGS, vocabulary=100, longest=48, epochs=2)


def test_every_rung_of_choices_has_its_candidate(climbed: Path) -> None:
    found = measured(climbed)
    assert found.keys() == {"overlap", "finetuned", "student-2l", "finetuned-int8", "student-2l-int8"}
    assert found["overlap"]["quality"] == 1  # only the right place stands in the dialogue


def test_the_pipeline_chooses_what_was_measured(climbed: Path) -> None:
    items = json.loads((climbed / "dev.json").read_text())
    prompts = [
        {"prompt": "\n".join(turns), "choices": [f"{row['question']} {choice}" for choice in row["choice"]]}
        for turns, (row,), _ in items
    ]
    for path in sorted(climbed.glob("climb/*/*.gradatim")):
        found = gradatim.pipeline("multiple-choice", path)(prompts)
        with np.load(path.with_suffix(".measured.npz")) as said:
            assert [one["index"] for one in found] == said["chosen"].tolist()
            right = [row["choice"].index(row["answer"]) for _, (row,), _ in items]
            assert measured(climbed)[path.stem]["quality"] == np.mean(said["chosen"] == right)


def test_commands_predict_and_evaluate_choices(climbed: Path, tmp_path: Path) -> None:
    overlap = str(climbed / "climb" / "overlap" / "overlap.gradatim")

    def run(*arguments: str) -> str:
        said = CliRunner().invoke(app, [*arguments])
        assert said.exit_code == 0, said.output
        return said.stdout

    said = run("predict", overlap, "in oslo .", "--pair", "where ?\nrome\noslo").strip().split("\t")
    assert (said[0], said[2]) == ("oslo", "1")
    asked = tmp_path / "asked.jsonl"
    asked.write_text(
        json.dumps(
            {"context": "in oslo .", "question": "where ?", "options": ["oslo", "rome"], "answer": "?"}
        )
        + "\n"
    )
    told = json.loads(run("predict", overlap, "--input", str(asked), "--json"))
    assert told["answer"] == "?"  # the column of the input
    assert (told["prediction"], told["index"]) == ("oslo", 0)
    figures = json.loads(run("evaluate", overlap, str(climbed / "dev.json"), "--json"))
    assert figures["accuracy"] == 1
    refused = CliRunner().invoke(app, ["predict", overlap, "in oslo .", "--pair", "where ?"])
    assert refused.exit_code == 2
    assert "its choices are needed" in refused.output


def test_the_report_and_the_card_tell_of_choices(climbed: Path) -> None:
    page = (climbed / "report.html").read_text()
    assert "What it answers" in page
    assert "kyoto / " in page or " / kyoto" in page
    assert "one of several answers" in read_artifact(climbed / "model.gradatim").card
