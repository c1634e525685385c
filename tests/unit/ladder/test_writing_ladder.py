"""A ladder of models that write: data of its own kind, rungs, judgement, report, the finished file."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sacrebleu import corpus_bleu

import gradatim
from gradatim.data import load_written
from gradatim.engine.artifact import read_artifact
from gradatim.errors import ConfigError, DataError
from gradatim.ladder.goals.texts import TextGoal
from gradatim.ladder.rung import Problem, Settings
from gradatim.ladder.state import read_json, write_json
from gradatim.ladder.writing import student
from gradatim.ladder.writing.int8 import BeamsRung, WritingInt8Rung
from gradatim.ladder.writing.judge import interval, score, text_quality
from gradatim.ladder.writing.lead import LeadRung
from gradatim.ladder.writing.student import StudentRung
from gradatim.ladder.writing.writers import WriterRung
from gradatim.train.architecture import ModelSettings
from gradatim.types import Candidate, Corpus

WORDS = {
    "one": "eins", "two": "zwei", "three": "drei", "four": "vier", "red": "rot", "blue": "blau", "green": "gruen",
    "house": "haus", "dog": "hund", "cat": "katze", "tree": "baum", "child": "kind", "road": "weg", "book": "buch",
}  # fmt: skip


def parallel(folder: Path, count: int = 400, seed: int = 0) -> str:
    """Two files that say the same, word by word, in languages of fourteen words."""
    rng = np.random.default_rng(seed)
    rows = [rng.choice(list(WORDS), size=rng.integers(2, 6)) for _ in range(count)]
    (folder / "text.en").write_text("".join(" ".join(row) + "\n" for row in rows))
    (folder / "text.de").write_text("".join(" ".join(WORDS[word] for word in row) + "\n" for row in rows))
    return str(folder / "text.{en,de}")


TINY = WriterRung(
    "transformer-tiny",
    ModelSettings(
        preset="transformer", num_layers=2, decoder_layers=2, width=32, num_heads=2, ffn_width=64, norm_order="pre",
        dropout=0.0, attention_dropout=0.0,
    ),
    1e-2,
)  # fmt: skip


@pytest.fixture(scope="module")
def climbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole climb, with writers small enough for a test."""
    folder = tmp_path_factory.mktemp("writing")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gradatim.ladder.writing.lab.TOKENS", 512)
        patch.setattr(TextGoal, "rungs", (LeadRung(), TINY, StudentRung(), WritingInt8Rung(), BeamsRung()))
        gradatim.fit(
            parallel(folder), out=folder / "model.gradatim", report=folder / "report.html", epochs=12, threads=1,
            picture=folder / "front.png", precision="fp32", tolerance=1.0,
        )  # fmt: skip
    return folder


def test_the_finished_file_translates(climbed: Path) -> None:
    model = gradatim.load(climbed / "model.gradatim")
    assert isinstance(model("one red dog"), str)
    said = " ".join(model(["one red dog", "two blue house", "three green tree"])).split()
    right = ["eins", "rot", "hund", "zwei", "blau", "haus", "drei", "gruen", "baum"]
    assert len(set(said) & set(right)) >= 6


def test_every_rung_has_its_candidates_and_the_report_tells_of_them(climbed: Path) -> None:
    names = {path.stem for path in climbed.glob("model.climb/*/*.gradatim")}
    assert {"lead", "transformer-tiny", "student", "transformer-tiny-int8", "student-int8"} <= names
    assert any(name.endswith("-beams") for name in names)
    page = (climbed / "report.html").read_text()
    assert "BLEU" in page
    assert "The worst texts" in page
    # Examples with the alignments of the model that the chosen one was made from.
    assert page.count("Wanted: ") == 4
    assert "nrefs:1" in page  # sacreBLEU's own words on what was counted
    card = read_artifact(climbed / "model.gradatim").card
    assert "BLEU" in card
    assert (climbed / "front.png").stat().st_size > 10_000


def test_beams_are_part_of_a_file(climbed: Path) -> None:
    for path in climbed.glob("model.climb/*/*.gradatim"):
        assert gradatim.load(path).beams == (4 if path.stem.endswith("-beams") else 1)


def test_a_student_has_half_of_its_teacher(climbed: Path) -> None:
    from gradatim.checkpoint.folder import read_model

    teacher, student = (
        read_model(climbed / "model.climb" / "shared" / name).config
        for name in ("transformer-tiny", "student")
    )
    assert student.transformer.num_layers == teacher.transformer.num_layers // 2
    assert student.body.width == teacher.body.width


def test_a_student_without_a_teacher_is_skipped(tmp_path: Path) -> None:
    with pytest.raises(gradatim.errors.GradatimError, match=r"(?s)no rung could be run.*needs a Transformer"):
        gradatim.fit(
            parallel(tmp_path, 60), rungs=["student"], out=tmp_path / "m.gradatim", report=tmp_path / "r.html",
            threads=1,
        )  # fmt: skip


def test_what_a_student_imitates_is_kept_for_its_own_teacher_only(climbed: Path, tmp_path: Path) -> None:
    kept = read_json(climbed / "model.climb" / "student" / "rewritten.json")
    problem = Problem(
        load_written(parallel(tmp_path, 60)),
        TextGoal(),
        tmp_path,
        tmp_path,
        "bleu",
        settings=Settings(precision="fp32"),
    )  # fmt: skip
    (candidate,) = TINY.fit(replace(problem, settings=Settings(precision="fp32", epochs=1)))
    write_json(tmp_path / "rewritten.json", kept)
    fresh = StudentRung()._rewritten(problem, candidate)
    assert len(fresh) == len(problem.corpus.train)
    assert read_json(tmp_path / "rewritten.json")["by"] != kept["by"]
    write_json(tmp_path / "rewritten.json", {**read_json(tmp_path / "rewritten.json"), "texts": ["as kept"]})
    assert StudentRung()._rewritten(problem, candidate) == ["as kept"]


@pytest.mark.parametrize(
    "option", [{"teacher": "mpnet-base"}, {"vectors": "glove-6b-50d"}, {"unlabelled": ["a"]}]
)
def test_options_of_labels_are_not_passed_over(tmp_path: Path, option: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="for labelled texts"):
        gradatim.fit(parallel(tmp_path, 60), out=tmp_path / "m.gradatim", **option)
    with pytest.raises(ConfigError, match="leave label and text_pair out"):
        gradatim.fit(parallel(tmp_path, 60), out=tmp_path / "m.gradatim", target="b", label="c")


def test_a_rung_of_labels_is_none_of_texts(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown rung 'linear'"):
        gradatim.fit(parallel(tmp_path, 60), rungs=["linear"], out=tmp_path / "m.gradatim")


def test_splits_keep_equal_sources_together(tmp_path: Path) -> None:
    source = parallel(tmp_path, 300)
    corpus = load_written(source)
    sides = [set(split.texts) for split in (corpus.train, corpus.dev, corpus.test) if split is not None]
    assert len(sides) == 3
    assert not sides[0] & sides[1]
    assert not sides[0] & sides[2]
    assert corpus.digest == load_written(source).digest != load_written(source, seed=1).digest


def test_a_target_column_makes_a_table_parallel(tmp_path: Path) -> None:
    table = tmp_path / "mails.csv"
    rows = [f'"long text number {i} about many things that were said and done",mail {i}' for i in range(40)]
    table.write_text("body,subject\n" + "\n".join(rows) + "\n")
    corpus = load_written(str(table), text="body", target="subject")
    assert corpus.task.writes
    assert corpus.train.targets[0].startswith("mail ")
    with pytest.raises(DataError, match="nothing"):
        load_written(str(table), text="body", target="nothing")


def test_the_metric_is_guessed_from_lengths(tmp_path: Path) -> None:
    corpus = load_written(parallel(tmp_path, 60))
    assert TextGoal().metric(corpus, None) == ("bleu", "")
    short = corpus.train.targets.copy()
    short[:] = "ab"
    summary = Corpus("s", corpus.task, replace(corpus.train, targets=short), corpus.dev, None)
    assert TextGoal().metric(summary, None) == ("rouge2", "")
    with pytest.raises(ConfigError, match="did you mean 'bleu'"):
        TextGoal().metric(corpus, "blue")


WRITTEN = [
    "the cat sat on the mat today",
    "a dog runs fast over there",
    "nothing alike at all",
    "one two three four",
]
WANTED = [
    "the cat sat on a mat today",
    "a dog runs very fast over there",
    "something else",
    "one two three four",
]


@pytest.mark.parametrize("metric", ["bleu", "chrf", "rouge2", "rougeL"])
def test_an_interval_holds_its_value(metric: str) -> None:
    found = interval(metric, WRITTEN * 20, WANTED * 20)
    assert found.low <= found.value <= found.high
    assert found.value == pytest.approx(score(metric, WRITTEN * 20, WANTED * 20))
    assert found == interval(metric, WRITTEN * 20, WANTED * 20)
    wide = interval(metric, WRITTEN, WANTED)
    assert wide.high - wide.low > found.high - found.low


def test_bleu_of_counts_is_sacrebleu() -> None:
    from gradatim.ladder.writing.judge import bleu
    from gradatim.pipelines.overlap import text_scores

    counts = text_scores(WRITTEN, WANTED, "bleu").sum(axis=0)
    assert bleu(counts[None])[0] == pytest.approx(corpus_bleu(WRITTEN, [WANTED]).score / 100, abs=1e-6)


def test_the_worst_text_is_the_one_that_shares_nothing() -> None:
    assert text_quality(WRITTEN, WANTED).argmin() == 2


def test_what_a_teacher_takes_is_not_told_of_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A better one may come while the time of the student is estimated again."""
    problem = Problem(load_written(parallel(tmp_path, 60)), TextGoal(), tmp_path, tmp_path, "bleu")
    waits = {"small": 0.0, "large": 0.2}
    monkeypatch.setattr(
        student, "load_text_to_text", lambda path, **_: lambda *_: time.sleep(waits[Path(path).stem])
    )
    small, large = (Candidate(name, name, f"{name}.gradatim", 1.0, 1) for name in waits)
    rung = StudentRung()
    assert rung._pace_s(problem, small) < 0.1 / 60
    assert rung._pace_s(problem, large) >= 0.2 / 60
    asked: list[str] = []
    monkeypatch.setattr(student.WritingLab, "epoch_s", lambda _lab, name, *_: asked.append(name) or 1.0)
    monkeypatch.setattr(student, "Distillation", lambda *_, **__: None)
    for source in (small, large):
        rung._epoch_s(problem, source, None, None)
    assert len(set(asked)) == 2
