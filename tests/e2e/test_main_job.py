"""The main job on every shape of task: fit, then load, evaluate, predict and card on what came out."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gradatim
from gradatim.engine.artifact import read_artifact

pytestmark = pytest.mark.slow
MAX_MS, MAX_MB = 50.0, 0.5
# The whole ladder for few labels once; the other shapes of task climb what treats them in a way of its own.
RUNGS = {
    "multi-class": None,
    "binary": "linear,bag,bilstm,frozen",
    "multi-label": "linear,finetuned,student-2l,int8",
    "pairs": "linear,few,int8",
}
EVERY_RUNG = {
    "majority", "ngram", "linear", "frozen", "few", "student-3l", "student-2l", "student-bilstm", "int8",
}  # fmt: skip


@dataclass(frozen=True)
class Job:
    """A finished `gradatim fit` and what it left."""

    kind: str
    rows: list[dict[str, str]]
    folder: Path
    climb: dict[str, Any]
    printed: str

    @property
    def model(self) -> Path:
        return self.folder / "model.gradatim"

    @property
    def chosen(self) -> dict[str, Any]:
        """The record of the chosen candidate."""
        name = read_artifact(self.model).provenance["candidate"]
        rows = [row for rung in self.climb.values() for row in rung["rows"]]
        return next(row for row in rows if row["candidate"]["name"] == name)

    def dev(self) -> list[list[str]]:
        lines = (self.folder / "model.climb" / "dev.jsonl").read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]

    def dev_table(self) -> Path:
        """The rows of dev with their labels, as a file."""
        columns = list(self.rows[0])
        by_text = {row[columns[0]]: row for row in self.rows}
        path = self.folder / "dev.csv"
        with path.open("w", encoding="utf-8", newline="") as handle:
            writer = csv.DictWriter(handle, columns)
            writer.writeheader()
            writer.writerows(by_text[texts[0]] for texts in self.dev())
        return path


@pytest.fixture(scope="module", params=list(RUNGS))
def job(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, encoder: Path, tools: Any
) -> Job:
    kind: str = request.param
    folder = tmp_path_factory.mktemp(kind)
    rows = tools.make_rows(kind)
    tools.write_csv(folder / "data.csv", rows)
    only = ["--rungs", RUNGS[kind]] if RUNGS[kind] else []
    said = tools.gradatim(
        folder, "fit", "data.csv", "--encoder", encoder, "--epochs", 2, "--threads", 1, "--max-ms", MAX_MS,
        "--max-mb", MAX_MB, *only,
    )  # fmt: skip
    assert said.code == 0, said.err
    return Job(kind, rows, folder, tools.climbed(folder / "model.climb"), said.out)


def test_files_are_written_and_every_rung_is_accounted_for(job: Job) -> None:
    assert "<html" in (job.folder / "report.html").read_text(encoding="utf-8")
    names = RUNGS[job.kind]
    assert ("rungs for few labels" in job.printed) == (names is None)
    assert job.climb.keys() == (set(names.split(",")) if names else EVERY_RUNG)
    for rung in job.climb.values():
        for row in rung["rows"]:
            assert row["measurement"]["low"] <= row["measurement"]["quality"] <= row["measurement"]["high"]
    leftovers = [path.name for path in job.folder.iterdir() if path.name.startswith(".")]
    assert leftovers == []


def test_the_choice_is_inside_the_budget_and_within_noise_of_the_best(job: Job) -> None:
    rows = [row for rung in job.climb.values() for row in rung["rows"]]
    inside = [
        row["measurement"]
        for row in rows
        if row["measurement"]["p95_ms"] <= MAX_MS and row["measurement"]["size_mb"] <= MAX_MB
    ]
    best = max(inside, key=lambda seen: (seen["quality"], -seen["p95_ms"]))
    assert job.chosen["measurement"] in inside
    assert job.chosen["measurement"]["quality"] >= best["low"]


def test_the_loaded_file_answers_as_it_was_measured(job: Job) -> None:
    model = gradatim.load(job.model, threads=1)
    artifact = job.folder / "model.climb" / job.chosen["candidate"]["artifact"]
    with np.load(artifact.with_suffix(".measured.npz"), allow_pickle=False) as measured:
        wanted = measured["probabilities"]
    dev = job.dev()
    texts, pairs = [row[0] for row in dev], [row[1] for row in dev] if len(dev[0]) == 2 else None
    np.testing.assert_allclose(model.probabilities(texts, pairs), wanted, atol=1e-4)
    one = model(*dev[0])
    for label, probability in one.scores.items():
        assert probability == pytest.approx(wanted[0, model.task.labels.index(label)], abs=1e-4)


def test_evaluate_agrees_with_the_measurement(job: Job, tools: Any) -> None:
    said = tools.gradatim(job.folder, "evaluate", "model.gradatim", job.dev_table(), "--json")
    assert said.code == 0, said.err
    figures = json.loads(said.out)
    seen = job.chosen["measurement"]
    metric = "macro_f1" if job.kind == "multi-label" else "accuracy"
    assert figures[metric] == pytest.approx(seen["quality"], abs=1e-6)
    assert figures["n"] == len(job.dev())
    for name, value in seen["extra"].items():
        assert figures[name] == pytest.approx(value, abs=1e-4)


def test_predict_from_file_to_file(job: Job, tools: Any) -> None:
    table = job.dev_table()
    said = tools.gradatim(job.folder, "predict", "model.gradatim", "--input", table, "--output", "out.jsonl")
    assert said.code == 0, said.err
    rows = [json.loads(line) for line in (job.folder / "out.jsonl").read_text("utf-8").splitlines()]
    model = gradatim.load(job.model, threads=1)
    assert len(rows) == len(job.dev())
    for row, texts in zip(rows, job.dev(), strict=True):
        labels = row["prediction"] if isinstance(row["prediction"], list) else [row["prediction"]]
        assert labels == list(model(*texts).labels)


def test_card_names_the_data_and_the_chosen_one(job: Job, tools: Any) -> None:
    said = tools.gradatim(job.folder, "card", "model.gradatim")
    assert said.code == 0, said.err
    assert job.chosen["candidate"]["name"] in said.out
    for label in read_artifact(job.model).task.labels:
        assert label in said.out


def test_the_same_fit_from_python(tmp_path: Path, tools: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = gradatim.fit(tools.reviews(tmp_path / "data.csv"), rungs=["majority", "linear"], threads=1)
    assert outcome.artifact == Path("model.gradatim")
    assert outcome.choice.chosen is not None
    assert outcome.choice.chosen.name == "linear"
    assert gradatim.load(outcome.artifact)("the film is deft").label == "good"


def test_a_picture_of_the_front_is_written_when_asked_for(
    tmp_path: Path, run: Callable[..., Any], tools: Any
) -> None:
    tools.reviews(tmp_path / "data.csv")
    said = run("fit", "data.csv", "--rungs", "majority,linear", "--picture", "docs/front.png", "--threads", 1)
    assert said.code == 0, said.err
    assert (tmp_path / "docs" / "front.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
