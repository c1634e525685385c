"""A ladder of taggers: every rung, the finished file by all its doors, the report, a climb that goes on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tiny_climbs import climb, measured
from typer.testing import CliRunner

import gradatim
from gradatim.cli import app
from gradatim.data import load_tagged
from gradatim.engine.artifact import read_artifact
from gradatim.errors import ConfigError, GradatimError
from gradatim.ladder.goals.tags import TagGoal
from gradatim.ladder.rung import Problem
from gradatim.ladder.tagging.frequent import FrequentRung
from gradatim.text.raw import find_words

PEOPLE = ["Anna", "Boris", "Clara", "Dmitri", "Elena", "Fritz"]
PLACES = ["Rome", "Oslo", "Lima", "Kyoto", "Turin", "Quito"]
RUNGS = ["most-frequent", "linear", "bilstm", "frozen", "finetuned", "student-2l", "int8"]


def sentence(rng: np.random.Generator) -> list[tuple[str, str]]:
    """Somebody lives in or likes a place; `Turin` may be a person too, which only the words around it tell."""
    first, last = rng.choice(PEOPLE), rng.choice(["Turin", "Bell", "Stone"])
    verb = rng.choice(["lives in", "likes", "left"]).split()
    rows = [
        (first, "B-PER"),
        (last, "I-PER"),
        *((word, "O") for word in verb),
        (rng.choice(PLACES), "B-LOC"),
        (".", "O"),
    ]
    return rows if rng.random() < 0.7 else [*rows[2:-1], ("today", "O"), (".", "O")]


def write(path: Path, count: int, seed: int) -> Path:
    rng = np.random.default_rng(seed)
    rows = (sentence(rng) for _ in range(count))
    path.write_text(
        "\n".join("".join(f"{word} {tag}\n" for word, tag in row) for row in rows), encoding="utf-8"
    )
    return path


@pytest.fixture(scope="module")
def climbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tagging")
    for seed, (split, count) in enumerate({"train": 120, "dev": 40, "test": 20}.items()):
        write(folder / f"{split}.txt", count, seed)
    lines = (folder / "train.txt").read_text().split("\n")
    return climb(folder, lines, RUNGS, vocabulary=120, longest=32, epochs=2)


def quality(climbed: Path) -> dict[str, float]:
    return {name: figures["quality"] for name, figures in measured(climbed).items()}


def test_every_rung_has_its_candidate(climbed: Path) -> None:
    found = quality(climbed)
    neural = {"bilstm", "frozen", "finetuned", "student-2l"}
    assert found.keys() == {"most-frequent", "linear", *neural, *(f"{name}-int8" for name in neural)}
    assert found["linear"] > found["most-frequent"]  # what stands around a word tells which Turin is meant
    assert found["linear"] > 0.9


def test_the_file_is_opened_by_every_door(climbed: Path) -> None:
    text = "Anna Turin lives in Oslo."
    for path in sorted(climbed.glob("climb/*/*.gradatim")):
        model = gradatim.load(path)
        for one in model(text):
            assert text[one.start : one.end] == one.text
        assert model([text, ""])[1] == []
        gradatim.pipeline("ner", path, aggregation_strategy="simple")(text)
    linear = climbed / "climb" / "linear" / "linear.gradatim"
    wanted = [("PER", "Anna Turin", 0, 10), ("LOC", "Oslo", 20, 24)]
    assert [(e.label, e.text, e.start, e.end) for e in gradatim.load(linear)(text)] == wanted
    grouped = gradatim.pipeline("ner", linear, aggregation_strategy="simple")(text)
    assert [(e["entity_group"], e["word"], e["start"], e["end"]) for e in grouped] == wanted


def test_windows_of_long_texts_overlap(climbed: Path) -> None:
    """So that a word at the border of one is read with what is around it, by every door."""
    path = climbed / "climb" / "finetuned" / "finetuned.gradatim"
    assert read_artifact(path).encoder["stride"] == 8
    text = " ".join(["Anna Turin lives in Oslo and likes Lima ."] * 12)
    tokens = gradatim.pipeline("ner", path, ignore_labels=[])(text)
    model = gradatim.load(path)
    spans = find_words(text)
    tags = [model.task.labels[tag] for tag in model.logits([text], [spans])[0].argmax(axis=1)]
    first = {token["start"]: token["entity"] for token in reversed(tokens)}
    assert tags == [first[start] for start, _ in spans]


def test_commands_predict_and_evaluate(climbed: Path) -> None:
    linear = str(climbed / "climb" / "linear" / "linear.gradatim")

    def run(*arguments: str) -> str:
        said = CliRunner().invoke(app, [*arguments])
        assert said.exit_code == 0, said.output
        return said.stdout

    lines = run("predict", linear, "Anna Turin lives in Oslo.", "today .").split("\n")
    assert [line.split("\t")[:3] for line in lines[:5]] == [
        ["PER", "0", "10"], ["LOC", "20", "24"], [""], ["-"], [""]
    ]  # fmt: skip
    told = json.loads(run("predict", linear, "Anna Turin lives in Oslo.", "--json"))
    assert [entity["text"] for entity in told["entities"]] == ["Anna Turin", "Oslo"]
    out = climbed / "answers.csv"
    run("predict", linear, "Anna Turin lives in Oslo.", "--output", str(out))
    assert '""label"": ""PER""' in out.read_text()
    figures = json.loads(run("evaluate", linear, str(climbed / "dev.txt"), "--json"))
    assert figures["f1"] == pytest.approx(quality(climbed)["linear"])
    assert "LOC" in run("evaluate", linear, str(climbed), "--split", "test")


def test_the_report_and_the_card_tell_of_tags(climbed: Path) -> None:
    page = (climbed / "report.html").read_text()
    for words in ("Every kind of entity", "Short texts and long texts", "The worst sentences"):
        assert words in page
    card = read_artifact(climbed / "model.gradatim").card
    assert "every word" in card
    assert "B-PER" in card


def test_mistakes_are_shown_and_counted(climbed: Path, tmp_path: Path) -> None:
    gradatim.fit(
        climbed, rungs=["most-frequent"], threads=1, out=tmp_path / "m.gradatim", report=tmp_path / "r.html"
    )
    page = (tmp_path / "r.html").read_text()
    assert "What is taken for what" in page
    # Said where a person was wanted, or the other way round.
    assert "<mark>Turin <small>LOC</small></mark>" in page


def test_a_finished_climb_goes_on_without_training(climbed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gradatim.ladder.climb._run", None)  # whatever would run a rung fails
    again = gradatim.fit(
        climbed, encoder=str(climbed / "encoder"), rungs=RUNGS, threads=1, epochs=2, precision="fp32", resume=True,
        out=climbed / "model.gradatim", report=climbed / "report.html", folder=climbed / "climb",
    )  # fmt: skip
    assert {row.name: row.measurement.quality for row in again.story.rows} == quality(climbed)


def test_a_student_without_its_teacher_is_skipped(climbed: Path, tmp_path: Path) -> None:
    with pytest.raises(GradatimError, match=r"(?s)no rung could be run.*needs the fine-tuned encoder"):
        gradatim.fit(
            climbed, encoder=str(climbed / "encoder"), rungs=["student-3l"], threads=1, epochs=1,
            out=tmp_path / "m.gradatim", report=tmp_path / "r.html",
        )  # fmt: skip


def test_what_labels_need_is_refused(climbed: Path, tmp_path: Path) -> None:
    for option in ({"teacher": "minilm-l6"}, {"metric": "bleu"}):
        with pytest.raises(ConfigError, match=r"a tagger has no use|unknown metric 'bleu' of tags"):
            gradatim.fit(climbed, out=tmp_path / "m.gradatim", report=tmp_path / "r.html", **option)


def test_the_most_frequent_tag_is_what_was_counted(tmp_path: Path) -> None:
    (tmp_path / "train.conll").write_text(
        "May B-MONTH\n\nMay B-PER\n\nMay B-PER\n\nOslo B-LOC\n\nin O\n\nby O\n"
    )
    corpus = load_tagged(tmp_path / "train.conll", dev=tmp_path / "train.conll")
    (made,) = FrequentRung().fit(Problem(corpus, TagGoal(), tmp_path, tmp_path, "f1"))
    model = gradatim.load(made.artifact)
    assert [(e.label, e.text) for e in model("May saw Oslo")] == [("PER", "May"), ("LOC", "Oslo")]


def test_parts_of_speech_are_judged_by_accuracy(tmp_path: Path) -> None:
    rest = "\t_" * 6
    words = [("the", "DET"), ("cat", "NOUN"), ("sat", "VERB"), ("a", "DET"), ("dog", "NOUN")]
    rows = [f"{i}\t{word}\t_\t{tag}{rest}\n" for i, (word, tag) in enumerate(words, 1)]
    (tmp_path / "train.conllu").write_text("\n".join("".join(rows[: 2 + i % 4]) for i in range(30)))
    outcome = gradatim.fit(
        tmp_path / "train.conllu", dev=tmp_path / "train.conllu", rungs=["most-frequent"], threads=1,
        out=tmp_path / "m.gradatim", report=tmp_path / "r.html",
    )  # fmt: skip
    assert outcome.story.metric == "accuracy"
    assert outcome.story.rows[0].measurement.quality == 1
    assert [entity.label for entity in gradatim.load(outcome.artifact)("the cat")] == ["DET", "NOUN"]
    assert "Every tag" in (tmp_path / "r.html").read_text()


def test_a_goal_knows_its_students() -> None:
    rung = TagGoal().named("student-5l")
    assert rung is not None
    assert rung.name == "student-5l"
    assert TagGoal().named("linear") is None
