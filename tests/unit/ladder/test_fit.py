"""`gradatim.fit` from Python: what it refuses, and what decides whether a climb may go on."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gradatim
from gradatim.errors import ConfigError, GradatimError
from gradatim.ladder import fit as fitting
from gradatim.ladder.goals.labels import LabelGoal
from gradatim.ladder.plan import named_rungs
from gradatim.ladder.rung import Settings
from gradatim.types import Corpus, Examples, Task

EXAMPLES = Examples(["good film", "bad film"] * 8, None, np.array([1, 0] * 8))
CORPUS = Corpus("tiny", Task(("bad", "good")), EXAMPLES, EXAMPLES, EXAMPLES, digest="d")


TAUGHT = Settings(teacher="large", language_model="lstm")


def fit(folder: Path, **options: Any) -> Any:
    files = {"out": folder / "model.gradatim", "report": folder / "report.html"}
    return gradatim.fit(CORPUS, **{"rungs": ["majority"], "threads": 1, **files, **options})


def test_rungs_come_in_the_order_of_the_ladder_and_students_by_depth() -> None:
    asked = [
        "int8",
        "student-2l",
        "student-5l",
        "student",
        "linear",
        "student-bilstm",
        "student-4l",
        "teacher",
    ]
    found = [rung.name for rung in named_rungs(asked, TAUGHT, LabelGoal())]
    assert found == [
        "linear", "teacher", "student", "student-5l", "student-4l", "student-2l", "student-bilstm", "int8"
    ]  # fmt: skip
    assert [rung.name for rung in named_rungs(None, TAUGHT, LabelGoal())] == [
        rung.name for rung in LabelGoal.rungs
    ]
    assert not {"teacher", "student", "ulmfit"} & {
        rung.name for rung in named_rungs(None, Settings(), LabelGoal())
    }


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"max_msec": 2}, r"'max_msec'.*did you mean 'max_ms'"),
        ({"max_ms": -1.0}, "max_ms must be above 0"),
        ({"max_mb": float("nan")}, "max_mb must be above 0"),
        ({"max_ram_mb": 0}, "max_ram_mb must be above 0"),
        ({"max_train_min": -1}, "max_train_min must be at least 0"),
        ({"epochs": 0}, "epochs must be above 0"),
        ({"precision": "int4"}, "precision is auto, bf16 or fp32"),
        ({"rungs": ["linaer"]}, "did you mean 'linear'"),
        ({"rungs": ["student"]}, "--teacher"),
        ({"rungs": ["ulmfit"]}, "--language-model"),
        ({"metric": "accuracyy"}, "did you mean 'accuracy'"),
        ({"few": True}, "leave it out where they are named"),
    ],
)
def test_what_is_wrong_is_refused_before_the_climb(
    tmp_path: Path, options: dict[str, Any], says: str
) -> None:
    with pytest.raises(ConfigError, match=says):
        fit(tmp_path, **options)
    assert not (tmp_path / "model.climb").exists()


@pytest.mark.parametrize(
    ("task", "asked", "usable"),
    [
        (Task(("a", "b", "c")), "f1", {"accuracy", "macro_f1", "micro_f1", "matthews"}),
        (Task(("a", "b"), multi_label=True), "f1", {"accuracy", "macro_f1", "micro_f1"}),
        (Task(("a", "b"), multi_label=True), "matthews", {"accuracy", "macro_f1", "micro_f1"}),
    ],
)
def test_a_metric_that_says_nothing_of_the_task_is_refused(task: Task, asked: str, usable: set[str]) -> None:
    corpus = Corpus("other", task, EXAMPLES, EXAMPLES, None)
    with pytest.raises(ConfigError, match="not defined here") as caught:
        LabelGoal().metric(corpus, asked)
    assert set(str(caught.value).rpartition(": ")[2].split(", ")) == usable
    for metric in usable:
        assert LabelGoal().metric(corpus, metric) == (metric, "")


def test_it_is_said_which_label_f1_is_of(tmp_path: Path) -> None:
    assert any("'good'" in note for note in fit(tmp_path, metric="f1").story.corpus.notes)


@pytest.mark.parametrize("changed", ["described", "version"])
def test_a_climb_does_not_go_on_with_another_machine_or_runtime(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    fit(tmp_path)
    fit(tmp_path, resume=True)
    monkeypatch.setattr(fitting, changed, lambda *_: "another")
    with pytest.raises(ConfigError, match="other settings"):
        fit(tmp_path, resume=True)


def labelled(texts: int, *, multi_label: bool = False) -> Corpus:
    """So many training texts, of two labels, or each with both."""
    targets = np.ones((texts, 2), np.float32) if multi_label else np.arange(texts) % 2
    examples = Examples(["film"] * texts, None, targets)
    return Corpus("sized", Task(("bad", "good"), multi_label=multi_label), examples, EXAMPLES, None)


@pytest.mark.parametrize(
    ("corpus", "asked", "few"),
    [
        (labelled(62), None, True),
        (labelled(128), None, True),
        (labelled(130), None, False),
        (labelled(130), True, True),
        (labelled(256), True, True),
        (labelled(16), False, False),
        (labelled(64, multi_label=True), None, True),
        (labelled(66, multi_label=True), None, False),
    ],
)
def test_the_amount_of_data_chooses_the_rungs_unless_it_is_said(
    corpus: Corpus, asked: bool | None, few: bool
) -> None:
    unsuited, why = LabelGoal().unsuited(corpus, Settings(few=asked))
    names = {rung.name for rung in named_rungs(None, Settings(), LabelGoal(), unsuited)}
    assert ("few" in names, "bilstm" in names, bool(why)) == (few, not few, few)
    assert {"linear", "frozen", "student-3l", "int8"} <= names
    assert ("finetuned" in names) == (not few or len(corpus.train) >= 256)
    named = named_rungs(["few", "bag"], Settings(), LabelGoal(), unsuited)
    assert [rung.name for rung in named] == ["bag", "few"]


def test_one_label_that_is_nearly_always_right_is_not_good_enough(tmp_path: Path) -> None:
    labels = np.array([0] * 54 + [1] * 6)
    texts = [f"{('lunch at', 'win a prize')[label]} number {n}" for n, label in enumerate(labels)]
    mails = Examples(texts, None, labels)
    corpus = Corpus("mails", Task(("ham", "spam")), mails, mails, mails, digest="m")
    files = {"out": tmp_path / "model.gradatim", "report": tmp_path / "report.html"}
    climbed = gradatim.fit(corpus, rungs=["majority", "linear"], threads=1, **files)
    assert climbed.story.metric == "macro_f1"
    assert climbed.choice.subject.name == "linear"
    assert any("'ham'" in note and "--metric accuracy" in note for note in climbed.story.corpus.notes)
    assert LabelGoal().metric(corpus, "accuracy") == ("accuracy", "")
    assert LabelGoal().metric(CORPUS, None) == ("accuracy", "")


def test_the_outcome_tells_the_whole_story(tmp_path: Path) -> None:
    outcome = fit(tmp_path / "new" / "folder", rungs=["majority", "linear"], max_mb=1)
    assert outcome.artifact == tmp_path / "new" / "folder" / "model.gradatim"
    assert outcome.choice.chosen is not None
    assert outcome.choice.chosen.name == "linear"
    assert list(outcome.story.tests) == ["linear", "majority"]
    assert outcome.story.evidence is not None
    assert outcome.story.evidence.probabilities.shape == (16, 2)
    assert not (tmp_path / "new" / "folder" / "model.climb" / "shared" / "features.npz").exists(), (
        "classical rungs alone must not wake the encoder"
    )


def test_what_changes_a_result_must_not_change_on_resume(tmp_path: Path) -> None:
    fit(tmp_path)
    changes = {
        "seed": 1, "rungs": ["majority", "linear"], "threads": 2, "metric": "macro_f1", "max_train_min": 5.0,
        "unlabelled": ["more text"], "encoder": "mpnet-base",
    }  # fmt: skip
    for name, value in changes.items():
        with pytest.raises(ConfigError, match=rf"\({name}\)"):
            fit(tmp_path, resume=True, **{name: value})


@pytest.mark.parametrize("fault", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_a_disk_fault_becomes_an_error_for_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: int
) -> None:
    def fail(path: Path, *_args: object) -> None:
        raise OSError(fault, "cannot", str(path))

    monkeypatch.setattr(fitting, "write_report", fail)
    with pytest.raises(ConfigError, match=r"report\.html cannot be written"):
        fit(tmp_path)


def test_other_faults_are_not_dressed_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object) -> None:
        raise FileNotFoundError(errno.ENOENT, "a fault of ours")

    monkeypatch.setattr(fitting, "write_report", fail)
    with pytest.raises(FileNotFoundError):
        fit(tmp_path)


def test_when_no_rung_can_be_run_all_reasons_are_given(tmp_path: Path) -> None:
    with pytest.raises(GradatimError, match=r"frozen: .*nowhere.*\n.*finetuned: .*nowhere") as caught:
        fit(tmp_path, rungs=["frozen", "finetuned"], encoder="./nowhere")
    assert caught.value.exit_code == 2
