"""`gradatim predict`: from arguments, stdin and files; to lines, JSON and files."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gradatim.cli import app
from gradatim.engine.artifact import write_artifact
from gradatim.tasks.open import load
from gradatim.types import Task

TEXTS = ["good film", "bad, very bad", 'the "film"']


def run(*args: object, stdin: str | bytes | None = None) -> Result:
    return CliRunner().invoke(app, [str(arg) for arg in args], input=stdin)


def wanted(model: Path, texts: list[str]) -> list[tuple[str, float]]:
    return [(p.label, p.score) for p in load(model)(texts)]


def as_lines(model: Path, texts: list[str]) -> str:
    return "".join(f"{label}\t{score:.4f}\n" for label, score in wanted(model, texts))


@pytest.fixture
def pair_artifact(tmp_path: Path, tokenizer_json: str, build_graph) -> Path:  # type: ignore[no-untyped-def]
    path = tmp_path / "pair.gradatim"
    write_artifact(
        path,
        kind="onnx",
        task=Task(("no", "yes"), pairs=True),
        encoder={"kind": "pieces", "max_length": 16, "stride": 0, "truncate": False},
        members={"model.onnx": build_graph(), "tokenizer.json": tokenizer_json.encode()},
    )
    return path


def test_arguments_give_a_line_each(tiny_artifact: Path) -> None:
    result = run("predict", tiny_artifact, *TEXTS)
    assert (result.exit_code, result.stdout) == (0, as_lines(tiny_artifact, TEXTS))


def test_stdin_gives_a_line_each_and_drops_a_byte_order_mark(tiny_artifact: Path) -> None:
    result = run("predict", tiny_artifact, stdin="﻿good film\r\nbad, very bad\n\n")
    assert (result.exit_code, result.stdout) == (
        0,
        as_lines(tiny_artifact, ["good film", "bad, very bad", ""]),
    )


def test_json_has_the_scores_of_the_best_labels(tiny_artifact: Path) -> None:
    result = run("predict", tiny_artifact, "good film", "--json", "--top-k", 2)
    (row,) = map(json.loads, result.stdout.splitlines())
    everything = load(tiny_artifact)("good film", top_k=None)
    assert (row["text"], row["prediction"]) == ("good film", everything.label)
    assert row["scores"] == {label: pytest.approx(p, abs=1e-6) for label, p in everything.scores.items()}


def test_top_k_shows_more_labels(tiny_artifact: Path) -> None:
    fields = run("predict", tiny_artifact, "good film", "--top-k", 5).stdout.rstrip("\n").split("\t")
    assert fields[::2] == list(load(tiny_artifact)("good film", top_k=None).scores)


@pytest.mark.parametrize("name", ["in.csv", "in.tsv", "in.jsonl", "in.txt", "in.csv.gz"])
def test_files_of_every_kind_are_read(tiny_artifact: Path, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    rows = [{"id": i, "review": text} for i, text in enumerate(TEXTS)]
    opened = gzip.open if name.endswith(".gz") else open
    with opened(path, "wt", encoding="utf-8", newline="") as handle:
        if ".jsonl" in name:
            handle.writelines(json.dumps(row) + "\n" for row in rows)
        elif ".txt" in name:
            handle.writelines(text + "\n" for text in TEXTS)
        elif ".tsv" in name:
            handle.writelines(f"{i}\t{text}\n" for i, text in [("id", "review"), *enumerate(TEXTS)])
        else:
            writer = csv.DictWriter(handle, ["id", "review"])
            writer.writeheader()
            writer.writerows(rows)
    result = run("predict", tiny_artifact, "--input", path)
    assert (result.exit_code, result.stdout) == (0, as_lines(tiny_artifact, TEXTS))


def test_output_is_the_input_and_two_columns(tiny_artifact: Path, tmp_path: Path) -> None:
    source, target = tmp_path / "in.csv", tmp_path / "out.csv"
    with open(source, "w", encoding="utf-8", newline="") as handle:
        csv.writer(handle).writerows([["id", "text"], ["7", "good film"], ["8", ""], ["9", TEXTS[1]]])
    assert run("predict", tiny_artifact, "--input", source, "--output", target).exit_code == 0
    with open(target, encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert [row["id"] for row in rows] == ["7", "8", "9"]  # the empty text has its answer too
    labels = wanted(tiny_artifact, ["good film", "", TEXTS[1]])
    assert [row["prediction"] for row in rows] == [label for label, _ in labels]
    assert [float(row["probability"]) for row in rows] == pytest.approx([p for _, p in labels], abs=1e-6)
    # What was written can be read again; our own columns are then made anew, not doubled.
    assert run("predict", tiny_artifact, "--input", target, "--output", target).exit_code == 0
    assert target.read_text(encoding="utf-8").splitlines()[0] == "id,text,prediction,probability"


def test_tabs_and_line_ends_cannot_break_a_tsv(tiny_artifact: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.tsv"
    assert run("predict", tiny_artifact, "a\tb\nc", '"film"', "--output", target).exit_code == 0
    rows = [line.split("\t") for line in target.read_text(encoding="utf-8").splitlines()]
    assert [row[0] for row in rows] == ["text", "a b c", '"film"']
    assert {len(row) for row in rows} == {3}


def test_json_lines_output(tiny_artifact: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.jsonl"
    assert run("predict", tiny_artifact, *TEXTS, "--output", target).exit_code == 0
    rows = [json.loads(line) for line in target.read_text(encoding="utf-8").splitlines()]
    assert [row["text"] for row in rows] == TEXTS
    assert [row["prediction"] for row in rows] == [label for label, _ in wanted(tiny_artifact, TEXTS)]


def test_a_fault_on_the_way_leaves_the_old_output(tiny_artifact: Path, tmp_path: Path) -> None:
    source, target = tmp_path / "in.txt", tmp_path / "out.csv"
    source.write_bytes(b"good film\n" * 3000 + b"caf\xe9\n")
    target.write_text("precious", encoding="utf-8")
    result = run("predict", tiny_artifact, "--input", source, "--output", target)
    assert result.exit_code == 2
    assert "3001" in result.stderr
    assert target.read_text(encoding="utf-8") == "precious"
    assert not list(tmp_path.glob(".*"))


def test_pairs_from_arguments_stdin_and_files(pair_artifact: Path, tmp_path: Path) -> None:
    label, score = (lambda p: (p.label, p.score))(load(pair_artifact)("good", "film"))
    line = f"{label}\t{score:.4f}\n"
    assert run("predict", pair_artifact, "good", "--pair", "film").stdout == line
    assert run("predict", pair_artifact, stdin="good\tfilm\n").stdout == line
    path = tmp_path / "pairs.jsonl"
    path.write_text('{"a": "good", "b": "film"}\n', encoding="utf-8")
    result = run("predict", pair_artifact, "--input", path, "--text", "a", "--text-pair", "b")
    assert result.stdout == line


@pytest.mark.parametrize(
    ("args", "stdin", "says"),
    [
        (["--pair", "x"], "", "single texts"),
        (["--input", "absent.csv"], None, "absent.csv"),
        (["--output", "out.xlsx"], None, ".csv, .tsv, .jsonl"),
        (["--text", "review"], None, "--input"),
        (["--output", "out.csv", "--top-k", "3"], None, ".jsonl"),
    ],
)
def test_misuse_of_options_is_explained(
    tiny_artifact: Path, args: list[str], stdin: str | None, says: str
) -> None:
    texts = [] if "--input" in args else ["good"]
    result = run("predict", tiny_artifact, *texts, *args, stdin=stdin)
    assert result.exit_code == 2
    assert says in result.stderr
    assert "Traceback" not in result.stderr


def test_a_pair_without_its_text_is_refused(pair_artifact: Path) -> None:
    result = run("predict", pair_artifact, "--pair", "film", stdin="good\tbad\n")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--pair" in result.stderr


def test_a_number_of_labels_is_refused_where_no_text_gets_labels(tmp_path: Path) -> None:
    path = tmp_path / "tagger.gradatim"
    write_artifact(path, kind="some", task=Task(("A",), kind="tagging"), encoder={}, members={"a": b"b"})
    result = run("predict", path, "good", "--top-k", 2)
    assert result.exit_code == 2
    assert "--top-k" in result.stderr


def test_json_lines_have_as_many_labels_as_are_asked_for(tiny_artifact: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.jsonl"
    assert run("predict", tiny_artifact, "good", "--output", target, "--top-k", 2).exit_code == 0
    assert len(json.loads(target.read_text())["scores"]) == 2


def test_bad_lines_on_stdin_are_named(tiny_artifact: Path, pair_artifact: Path) -> None:
    result = run("predict", tiny_artifact, stdin=b"good\ncaf\xe9\n")
    assert (result.exit_code, "line 2" in result.stderr) == (2, True)
    result = run("predict", pair_artifact, stdin="good\tfilm\nbad\n")
    assert (result.exit_code, "line 2" in result.stderr) == (2, True)


def test_wrong_column_names_the_nearest(tiny_artifact: Path, tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_text("id,review\n1,good\n2,bad\n", encoding="utf-8")
    result = run("predict", tiny_artifact, "--input", path, "--text", "reviev")
    assert result.exit_code == 2
    assert "review" in result.stderr


def test_several_labels_are_all_printed(tmp_path: Path, tokenizer_json: str, build_graph) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "tags.gradatim"
    for thresholds, count in [([0.0, 0.0], 2), ([1.0, 1.0], 0)]:
        write_artifact(
            path,
            kind="onnx",
            task=Task(("joy", "fear"), multi_label=True),
            encoder={"kind": "pieces", "max_length": 16, "stride": 0, "truncate": False},
            members={"model.onnx": build_graph(), "tokenizer.json": tokenizer_json.encode()},
            decision={"thresholds": thresholds},
        )
        printed = run("predict", path, "good").stdout.rstrip("\n").split("\t")[::2]
        assert sorted(printed) == (["fear", "joy"] if count else ["-"])
        row = json.loads(run("predict", path, "good", "--json").stdout)
        assert len(row["prediction"]) == count
