"""A ladder of models that choose: every rung, the finished file by all its doors, the report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import gradatim
from gradatim.checkpoint.folder import save_model
from gradatim.cli import app
from gradatim.engine.artifact import read_artifact
from gradatim.ladder.rungs import int8
from gradatim.models.backbone import Backbone
from gradatim.models.presets import Sizes, bert
from gradatim.text.tokenizer import PRESETS, train_tokenizer

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
    """A whole climb, with an encoder small enough for a test; int8 is kept however slow it is here."""
    folder = tmp_path_factory.mktemp("choices")
    for seed, (split, count) in enumerate({"train": 60, "dev": 30, "test": 10}.items()):
        write(folder / f"{split}.json", count, seed)
    lines = [f"{place} m: where do you live ? w: in . is it" for place in PLACES]
    tokenizer = train_tokenizer(lines, PRESETS["bert"], size=100)
    torch.manual_seed(0)
    sizes = Sizes(vocab_size=100, num_layers=4, width=32, num_heads=2, ffn_width=64, max_length=48)
    save_model(Backbone(bert(sizes)), folder / "encoder", family="bert")
    (folder / "encoder" / "tokenizer.json").write_text(tokenizer.to_str(), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gradatim.ladder.climb.gate", lambda *_: None)
        patch.setattr("gradatim.ladder.measure.COLD_STARTS", 1)
        patch.setattr(int8, "CALIBRATION", 16)
        gradatim.fit(
            folder, encoder=str(folder / "encoder"), rungs=RUNGS, threads=1, epochs=2, precision="fp32",
            out=folder / "model.gradatim", report=folder / "report.html", folder=folder / "climb",
        )  # fmt: skip
    return folder


def rows(climbed: Path) -> dict[str, Any]:
    done = [json.loads(path.read_text()) for path in climbed.glob("climb/*/done.json")]
    return {row["candidate"]["name"]: row["measurement"] for one in done for row in one["rows"]}


def test_every_rung_of_choices_has_its_candidate(climbed: Path) -> None:
    found = rows(climbed)
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
        with np.load(path.with_suffix(".measured.npz")) as measured:
            assert [one["index"] for one in found] == measured["chosen"].tolist()
            right = [row["choice"].index(row["answer"]) for _, (row,), _ in items]
            assert rows(climbed)[path.stem]["quality"] == np.mean(measured["chosen"] == right)


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
