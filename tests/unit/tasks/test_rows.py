"""A task over the rows of a file: what is read, what is written, and going on after a stop."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from gradatim.cli import app
from gradatim.errors import ConfigError
from gradatim.tasks.rows import answer_rows, flat, read_inputs

TEXTS = [f"a text, number {i}\nwith two lines" for i in range(600)]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "texts.csv"
    with path.open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerows([["id", "text"], *([i, text] for i, text in enumerate(TEXTS))])
    return path


def lengths(texts: Sequence[Any]) -> Iterator[Any]:
    return ({"label": "long" if len(text) > 30 else "short", "score": len(text) / 100} for text in texts)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_every_row_comes_with_its_answer(table: Path, tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"out{suffix}"
    inputs = read_inputs("text-classification", table, text="text")
    assert answer_rows(lengths, inputs, out, facts={}) == len(TEXTS)
    match suffix:
        case ".csv":
            rows: list[dict[str, Any]] = list(csv.DictReader(io.StringIO(out.read_text())))
        case ".jsonl":
            rows = [json.loads(line) for line in out.read_text().splitlines()]
            rows = [{**row, **row["answer"]} for row in rows]
        case _:
            rows = pq.read_table(out).to_pylist()
    assert [row["text"] for row in rows] == TEXTS
    assert [float(row["score"]) for row in rows] == [len(text) / 100 for text in TEXTS]
    assert not list(tmp_path.glob("*.part"))


def test_a_stopped_run_goes_on_where_it_was(table: Path, tmp_path: Path) -> None:
    out, asked = tmp_path / "out.jsonl", list[str]()

    def stopping(texts: Sequence[str]) -> Iterator[Any]:
        if asked:
            raise KeyboardInterrupt
        asked.extend(texts)
        return lengths(texts)

    inputs = read_inputs("text-classification", table, text="text")
    with pytest.raises(KeyboardInterrupt):
        answer_rows(stopping, inputs, out, facts={"model": "a"})
    part = tmp_path / "out.jsonl.part"
    part.write_bytes(part.read_bytes() + b'{"label": "lo')  # killed while it wrote
    with pytest.raises(ConfigError, match="--resume"):
        answer_rows(lengths, inputs, out, facts={"model": "a"})
    with pytest.raises(ConfigError, match="another run"):
        answer_rows(lengths, inputs, out, facts={"model": "b"}, resume=True)
    rest = list[str]()

    def going_on(texts: Sequence[str]) -> Iterator[Any]:
        rest.extend(texts)
        return lengths(texts)

    answer_rows(going_on, inputs, out, facts={"model": "a"}, resume=True)
    assert asked + rest == TEXTS
    found = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["answer"]["score"] for row in found] == [len(text) / 100 for text in TEXTS]


def test_questions_and_contexts_are_found_by_name(tmp_path: Path) -> None:
    path = tmp_path / "asked.jsonl"
    path.write_text(json.dumps({"context": "Ada wrote it.", "question": "Who?"}) + "\n")
    assert list(read_inputs("question-answering", path)) == [{"question": "Who?", "context": "Ada wrote it."}]
    path.write_text(json.dumps({"query": "Who?", "table": "games.csv"}) + "\n")
    asked = {"query": "Who?", "table": tmp_path / "games.csv"}
    assert list(read_inputs("table-question-answering", path)) == [asked]
    with pytest.raises(ConfigError, match="in Python"):
        read_inputs("multiple-choice", path)


def test_answers_become_columns_where_they_can() -> None:
    assert flat({"label": "a", "score": 1.0}) == {"label": "a", "score": 1.0}
    assert flat([{"summary_text": "short"}]) == {"summary_text": "short"}
    assert flat([{"label": "a"}, {"label": "b"}]) == {"answer": '[{"label": "a"}, {"label": "b"}]'}
    assert flat("plain") == {"answer": "plain"}


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_no_answer_is_lost_where_rows_have_one_none_or_several(tmp_path: Path, suffix: str) -> None:
    found = {"Ada": [{"word": "Ada"}], "nobody": [], "Ada and Bob": [{"word": "Ada"}, {"word": "Bob"}]}
    source, out = tmp_path / "texts.txt", tmp_path / f"out{suffix}"
    source.write_text("\n".join(found) + "\n")
    answer_rows(lambda texts: [found[text] for text in texts], read_inputs("ner", source), out, facts={})
    rows = (
        pq.read_table(out).to_pylist()
        if suffix == ".parquet"
        else list(csv.DictReader(out.read_text().splitlines()))
    )
    assert [json.loads(row["answer"]) for row in rows] == list(found.values())


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_a_column_called_as_the_answer_stays(tmp_path: Path, suffix: str) -> None:
    source, out = tmp_path / "texts.csv", tmp_path / f"out{suffix}"
    source.write_text("text,answer\none,mine\n")
    answer_rows(
        lambda texts: ["its"] * len(texts), read_inputs("translation", source, text="text"), out, facts={}
    )
    lines = out.read_text().splitlines()
    row = json.loads(lines[0]) if suffix == ".jsonl" else next(csv.DictReader(lines))
    assert row == {"text": "one", "answer": "mine", "answer_answer": "its"}


def test_the_command_answers_a_file(tiny_artifact: Path, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("a fine film\na dull one\n")
    out = tmp_path / "o.csv"
    words = ["run", "text-classification", tiny_artifact, "--input", tmp_path / "in.txt", "--output", out]
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    rows = list(csv.DictReader(io.StringIO(out.read_text())))
    assert [row["text"] for row in rows] == ["a fine film", "a dull one"]
    assert all(row["label"] and 0 < float(row["score"]) <= 1 for row in rows)
