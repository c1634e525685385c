"""What users get wrong, through the command line: exit code 2 and a message that says where and what to do."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import gradatim

Run = Callable[..., Any]
QUICK = ("--rungs", "majority,linear", "--threads", 1)


def refused(said: Any, *words: str) -> None:
    """Exit code 2, no traceback, and all `words` in the message."""
    assert said.code == 2, said.err or said.out
    assert "Traceback" not in said.err
    message = " ".join(said.err.replace("│", " ").split())
    for word in words:
        assert word in message


def csv_of(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def reviews(tmp_path: Path, tools: Any) -> Path:
    path: Path = tools.reviews(tmp_path / "reviews.csv")
    return path


def test_no_such_file(run: Run, reviews: Path) -> None:
    refused(run("fit", "revews.csv"), "revews.csv", "'reviews.csv'")


def test_no_such_column(run: Run, reviews: Path) -> None:
    refused(run("fit", "reviews.csv", "--label", "lable"), "lable", "'label'")
    refused(run("fit", "reviews.csv", "--text", "txet"), "txet", "'text'")


def test_no_such_dev_file(run: Run, reviews: Path) -> None:
    refused(run("fit", "reviews.csv", "--dev", "dev.csv"), "dev.csv")


def test_empty_file(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty.csv").touch()
    refused(run("fit", "empty.csv"), "empty.csv", "empty")


def test_one_class_only(run: Run, tmp_path: Path) -> None:
    csv_of(tmp_path / "one.csv", "text,label", *(f"film {i},good" for i in range(30)))
    refused(run("fit", "one.csv"), "one.csv:", "'good'")


def test_bytes_that_are_not_utf8(run: Run, tmp_path: Path) -> None:
    (tmp_path / "latin.csv").write_bytes("text,label\nfine,good\ncaf\xe9,bad\n".encode("latin1"))
    refused(run("fit", "latin.csv"), "latin.csv", "line 3", "byte")


def test_mixed_label_types(run: Run, tmp_path: Path) -> None:
    csv_of(tmp_path / "mixed.csv", "text,label", "a film,good", "the film,1", "my film,bad")
    refused(run("fit", "mixed.csv"), "mixed types", "line 2", "line 3")


def test_nothing_left_when_empty_texts_are_dropped(run: Run, tmp_path: Path) -> None:
    csv_of(tmp_path / "nan.csv", "text,label", ",good", ",bad")
    refused(run("fit", "nan.csv"), "nan.csv", "no usable rows")


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--metric", "accurcy", ("accurcy", "'accuracy'")),
        ("--rungs", "linaer", ("linaer", "'linear'")),
        ("--precision", "fp16", ("precision", "fp16", "bf16")),
        ("--max-msec", "2", ("--max-msec", "--max-ms")),
        ("--max-ms", "-1", ("--max-ms",)),
        ("--max-ms", "nan", ("max_ms", "nan")),
        ("--max-mb", "big", ("--max-mb", "big")),
        ("--out", ".", ("out", "folder")),
        ("--report", "model.gradatim", ("out", "report", "model.gradatim")),
        ("--folder", "reviews.csv", ("reviews.csv", "--folder")),
    ],
)
def test_options_are_refused_before_anything_is_trained(
    run: Run, reviews: Path, tmp_path: Path, option: str, value: str, words: tuple[str, ...]
) -> None:
    refused(run("fit", "reviews.csv", *QUICK, option, value), *words)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["reviews.csv"]


def test_unknown_command(run: Run) -> None:
    refused(run("fitt"), "fitt", "'fit'")


def test_unlabelled_texts_that_are_not_there(run: Run, reviews: Path) -> None:
    refused(run("fit", "reviews.csv", "--unlabelled", "more.txt"), "more.txt")


def test_missing_texts_and_labels_are_dropped_and_counted(run: Run, tmp_path: Path, tools: Any) -> None:
    rows = tools.make_rows("binary", 60)
    for row in rows[:3]:
        row["text"] = ""
    rows[3]["text"], rows[4]["label"] = "NaN", ""
    tools.write_csv(tmp_path / "holes.csv", rows)
    said = run("fit", "holes.csv", *QUICK)
    assert said.code == 0, said.err
    assert "of 60 rows without text left out" in said.out
    assert "1 of 60 rows without a label left out" in said.out


def test_one_example_per_class_gives_a_model_or_a_reason(run: Run, tmp_path: Path) -> None:
    csv_of(tmp_path / "two.csv", "text,label", "a deft film,good", "a stale film,bad")
    refused(run("fit", "two.csv", *QUICK), "two.csv")


def test_one_example_of_a_rare_class(run: Run, tmp_path: Path, tools: Any) -> None:
    rows = [*tools.make_rows("binary", 40), {"text": "a dreamlike film", "label": "odd"}]
    tools.write_csv(tmp_path / "rare.csv", rows)
    said = run("fit", "rare.csv", *QUICK)
    assert said.code == 0, said.err
    assert set(gradatim.load(tmp_path / "model.gradatim").task.labels) == {"bad", "good", "odd"}


def test_labels_of_test_that_train_has_not(run: Run, tmp_path: Path, tools: Any) -> None:
    tools.write_csv(tmp_path / "train.csv", tools.make_rows("binary", 60))
    rows = [{**row, "text": f"again {row['text']}"} for row in tools.make_rows("multi-class", 30)]
    tools.write_csv(tmp_path / "test.csv", rows)
    said = run("fit", "train.csv", "--test", "test.csv", *QUICK)
    assert said.code == 0, said.err
    assert "odd" in said.out
    assert gradatim.load(tmp_path / "model.gradatim").task.labels == ("bad", "good")


@pytest.mark.slow
def test_a_text_of_two_megabytes(run: Run, tmp_path: Path, tools: Any) -> None:
    rows = tools.make_rows("binary", 40)
    rows[0]["text"] = "the film is deft and the plot is warm , take two " * 40_000
    assert len(rows[0]["text"]) > 1.9e6
    tools.write_csv(tmp_path / "long.csv", rows)
    said = run("fit", "long.csv", "--rungs", "majority,ngram,linear", "--threads", 1)
    assert said.code == 0, said.err
    (tmp_path / "long.txt").write_text(rows[0]["text"] + "\n", encoding="utf-8")
    said = run("predict", "model.gradatim", "--input", "long.txt", "--output", "out.csv")
    assert said.code == 0, said.err


def test_a_zero_byte_in_a_text(run: Run, tmp_path: Path, tools: Any) -> None:
    rows = [{**row, "text": row["text"].replace("take", "take\0")} for row in tools.make_rows("binary", 40)]
    lines = [json.dumps(row) for row in rows]
    csv_of(tmp_path / "zero.jsonl", *lines)
    assert run("fit", "zero.jsonl", *QUICK).code == 0


def flip(content: bytes) -> bytes:
    """One bit in the middle of a member changed."""
    at = len(content) // 3
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


@pytest.mark.parametrize(
    "damage",
    [lambda b: b[: len(b) // 2], lambda b: b[:-1], flip, lambda b: b"PK\3\4 and so on", lambda _: b""],
)
@pytest.mark.parametrize("command", ["predict", "evaluate", "card"])
def test_a_damaged_model_file(
    run: Run, tiny_artifact: Path, tmp_path: Path, damage: Callable[[bytes], bytes], command: str
) -> None:
    model = tmp_path / "damaged.gradatim"
    model.write_bytes(damage(tiny_artifact.read_bytes()))
    more = {"predict": ["a text"], "evaluate": ["data.csv"], "card": []}[command]
    refused(run(command, model, *more), "damaged.gradatim")


@pytest.mark.parametrize("what", ["model.gradatim", "report.html", "climb.json", "done.json"])
def test_a_disk_that_is_full_leaves_no_half_file(
    run: Run, reviews: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    before = tmp_path / "model.gradatim"
    before.write_text("an older model", encoding="utf-8")
    replace = os.replace

    def full(source: Any, target: Any, **options: Any) -> None:
        if Path(target).name == what:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))
        replace(source, target, **options)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        refused(run("fit", "reviews.csv", *QUICK), what, "No space left", "--resume")
    assert before.read_text(encoding="utf-8") == "an older model"
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]
    said = run("fit", "reviews.csv", *QUICK, *(["--resume"] if what != "climb.json" else []))
    assert said.code == 0, said.err
    assert gradatim.load(before)("the film is deft").label == "good"
