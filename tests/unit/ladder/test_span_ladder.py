"""A ladder of models that answer questions: every rung, the finished file by all its doors, the report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_climbs import climb, measured
from typer.testing import CliRunner

import gradatim
from gradatim.cli import app
from gradatim.data import load_answered
from gradatim.engine.artifact import read_artifact, rewrite_artifact
from gradatim.errors import ArtifactError, ConfigError
from gradatim.ladder.answering.spans import SpanLab
from gradatim.ladder.goals.spans import SpanGoal
from gradatim.ladder.report.answered import marked
from gradatim.ladder.rung import Problem, Settings

PEOPLE = ["anna", "boris", "clara", "dmitri", "elena", "fritz"]
PLACES = ["rome", "oslo", "lima", "kyoto", "turin", "quito"]
RUNGS = ["overlap", "finetuned", "student-2l", "int8"]


def paragraph(rng: np.random.Generator) -> dict[str, Any]:
    """Who lives where, asked; some questions are about what is not said."""
    person, place = str(rng.choice(PEOPLE)), str(rng.choice(PLACES))
    context = f"it is said that {person} lives in {place} ."
    asked = [
        {
            "question": "who lives there ?",
            "answers": [{"text": person, "answer_start": context.index(person)}],
        },
        {"question": "where ?", "answers": [{"text": place, "answer_start": context.index(place)}]},
        {"question": "when ?", "answers": []},
    ]
    return {"context": context, "qas": asked}


def write(path: Path, count: int, seed: int) -> Path:
    rng = np.random.default_rng(seed)
    data = [{"title": f"{seed} {i}", "paragraphs": [paragraph(rng)]} for i in range(count)]
    path.write_text(json.dumps({"version": "v2.0", "data": data}), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def climbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("spans")
    for seed, (split, count) in enumerate({"train": 80, "dev": 20, "test": 10}.items()):
        write(folder / f"{split}.json", count, seed)
    lines = [
        f"{one} {other} it is said that lives in who there where when ? ."
        for one in PEOPLE
        for other in PLACES
    ]
    return climb(folder, lines, RUNGS, vocabulary=120, longest=32, epochs=10)


def test_every_rung_has_its_candidate(climbed: Path) -> None:
    found = measured(climbed)
    assert found.keys() == {"overlap", "finetuned", "student-2l", "finetuned-int8", "student-2l-int8"}
    assert found["finetuned"]["quality"] > found["overlap"]["quality"]
    assert found["finetuned"]["extra"].keys() == {"f1", "exact_match", "answered_f1", "no_answer"}


def test_the_pipeline_gives_the_answers_that_were_measured(climbed: Path) -> None:
    data = json.loads((climbed / "dev.json").read_text())["data"]
    asked = [
        {"question": row["question"], "context": part["context"]}
        for article in data
        for part in article["paragraphs"]
        for row in part["qas"]
    ]
    for path in sorted(climbed.glob("climb/*/*.gradatim")):
        found = gradatim.pipeline("question-answering", path)(asked)
        with np.load(path.with_suffix(".measured.npz")) as said:
            places = np.stack([said["starts"], said["ends"]], axis=1).tolist()
        assert [[one["start"], one["end"]] for one in found] == places
        for one, question in zip(found, asked, strict=True):
            assert question["context"][one["start"] : one["end"]] == one["answer"]
        assert gradatim.load(path)(asked[0]) == found[0]
    always = gradatim.pipeline("question-answering", path, handle_impossible_answer=False)(asked)
    assert all(one["answer"] for one in always)


def test_a_file_that_says_nonsense_of_its_answers_is_refused(climbed: Path, tmp_path: Path) -> None:
    path = tmp_path / "broken.gradatim"
    path.write_bytes((climbed / "climb" / "overlap" / "overlap.gradatim").read_bytes())
    rewrite_artifact(path, decision={"longest": "many"})
    with pytest.raises(ArtifactError, match="does not make a model"):
        gradatim.load(path)


def test_answers_that_fit_into_no_window_are_told_of(climbed: Path, tmp_path: Path) -> None:
    context = " ".join(["oslo"] * 60)
    rows = [{"question": "where ?", "context": f"{context} {i}", "answers": context} for i in range(4)]
    path = tmp_path / "long.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    said: list[str] = []
    problem = Problem(
        load_answered(path, dev=path), SpanGoal(), tmp_path, tmp_path, "f1", say=said.append,
        settings=Settings(encoder=str(climbed / "encoder")),
    )  # fmt: skip
    assert not SpanLab.of(problem).learned.spans.any()
    assert said == ["4 answers fit into no window; raise stride or max_length"]


def test_commands_predict_and_evaluate_answers(climbed: Path, tmp_path: Path) -> None:
    tuned = str(climbed / "climb" / "finetuned" / "finetuned.gradatim")

    def run(*arguments: str) -> str:
        said = CliRunner().invoke(app, [*arguments])
        assert said.exit_code == 0, said.output
        return said.stdout

    context = "it is said that anna lives in oslo ."
    answer, probability, start, end = run("predict", tuned, "where ?", "--pair", context).strip().split("\t")
    assert (answer == "-") == (start == end)
    assert 0 <= float(probability) <= 1
    asked = tmp_path / "asked.jsonl"
    asked.write_text(json.dumps({"id": 7, "context": context, "question": "where ?"}) + "\n")
    told = json.loads(run("predict", tuned, "--input", str(asked), "--json"))
    assert told["id"] == 7
    assert told["prediction"] == context[told["start"] : told["end"]]
    run("predict", tuned, "--input", str(asked), "--output", str(tmp_path / "said.csv"))
    assert (
        (tmp_path / "said.csv")
        .read_text()
        .startswith("id,context,question,prediction,probability,start,end\n7,")
    )
    figures = json.loads(run("evaluate", tuned, str(climbed / "dev.json"), "--json"))
    assert figures["f1"] == pytest.approx(measured(climbed)["finetuned"]["quality"])
    assert "exact_match" in run("evaluate", tuned, str(climbed), "--split", "test")


def test_the_report_and_the_card_tell_of_answers(climbed: Path) -> None:
    page = (climbed / "report.html").read_text()
    for words in (
        "What it answers",
        "By every measure",
        "Short contexts and long contexts",
        "The worst answers",
    ):
        assert words in page
    assert "<small>wanted</small>" in page or "<small>wanted, said</small>" in page
    assert "nothing where it seems to hold no answer" in read_artifact(climbed / "model.gradatim").card


def test_a_finished_climb_of_answers_goes_on(climbed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gradatim.ladder.climb._run", None)  # whatever would run a rung fails
    again = gradatim.fit(
        climbed, encoder=str(climbed / "encoder"), rungs=RUNGS, threads=1, epochs=10, precision="fp32", resume=True,
        out=climbed / "model.gradatim", report=climbed / "report.html", folder=climbed / "climb",
    )  # fmt: skip
    before = {name: row["quality"] for name, row in measured(climbed).items()}
    assert {row.name: row.measurement.quality for row in again.story.rows} == before


def test_what_answers_have_no_use_for_is_refused(climbed: Path, tmp_path: Path) -> None:
    for option in ({"teacher": "minilm-l6"}, {"metric": "bleu"}):
        with pytest.raises(ConfigError, match=r"answers has no use|unknown metric 'bleu' of answers"):
            gradatim.fit(climbed, out=tmp_path / "m.gradatim", report=tmp_path / "r.html", **option)
    student = SpanGoal().named("student-5l")
    assert student is not None
    assert student.name == "student-5l"


def test_answers_are_marked_within_what_lies_around_them() -> None:
    context = "a" * 300 + "bcd" + "e" * 300
    pieces = marked(context, [(300, 302)], (301, 303))
    assert [text for text, mark in pieces if mark] == ["b", "c", "d"]
    assert [mark for _, mark in pieces if mark] == ["wanted", "wanted, said", "said"]
    assert pieces[0][0].startswith("…")
    assert len("".join(text for text, _ in pieces)) < len(context)
    assert marked("short", [], (0, 0)) == [("short", "")]
