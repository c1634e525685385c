"""A task over the rows of a file: what is read, what is written, and going on after a stop."""

from __future__ import annotations

import csv
import errno
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from gradatim.cli import app
from gradatim.cli.run import _option
from gradatim.errors import ConfigError, DataError
from gradatim.pipelines.calls import InputError
from gradatim.tasks.rows import answer_rows, read_inputs, single

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
    assert single({"label": "a", "score": 1.0}) == {"label": "a", "score": 1.0}
    assert single([{"summary_text": "short"}]) == {"summary_text": "short"}
    assert single([{"label": "a"}, {"label": "b"}]) is None
    assert single("plain") is None


def read_back(path: Path) -> list[dict[str, Any]]:
    match path.suffix:
        case ".csv":
            return list(csv.DictReader(io.StringIO(path.read_text())))
        case ".jsonl":
            return [json.loads(line) for line in path.read_text().splitlines()]
        case _:
            rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
            return rows


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_rows_with_one_answer_and_rows_with_several_lose_none(tmp_path: Path, suffix: str) -> None:
    source, out = tmp_path / "in.csv", tmp_path / f"out{suffix}"
    source.write_text('text\n"ann met bo"\nann\n""\n')

    def words(texts: Sequence[str]) -> Iterator[Any]:
        return ([{"word": word} for word in text.split()] for text in texts)

    answer_rows(words, read_inputs("ner", source), out, facts={})
    found = [row["answer"] for row in read_back(out)]
    found = [json.loads(answer) if isinstance(answer, str) else answer for answer in found]
    assert found == [[{"word": "ann"}, {"word": "met"}, {"word": "bo"}], [{"word": "ann"}], []]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_columns_of_the_table_are_kept_whatever_they_are_called_and_hold(tmp_path: Path, suffix: str) -> None:
    source, out = tmp_path / "in.jsonl", tmp_path / f"out{suffix}"
    rows = [{"text": "a", "answer": 1, "label": "x"}, {"text": "b", "answer": "two", "label": None}]
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    answer_rows(lengths, read_inputs("text-classification", source, text="text"), out, facts={})
    found = read_back(out)
    assert [str(row["answer"]) for row in found] == ["1", "two"]
    assert [row["label"] or None for row in found] == ["x", None]
    last = [row["answer_answer"] if suffix == ".jsonl" else row for row in found]
    assert [row["label" if suffix == ".jsonl" else "answer_label"] for row in last] == ["short", "short"]


def test_the_row_that_has_no_answer_is_named_and_a_run_without_answers_is_not_in_the_way(
    tmp_path: Path,
) -> None:
    source, out = tmp_path / "in.csv", tmp_path / "out.jsonl"
    source.write_text("text\n" + "fine\n" * 300 + "bad\n")

    def stopping(texts: Sequence[str]) -> Iterator[Any]:
        for number, text in enumerate(texts):
            if text == "bad":
                raise InputError(number, "no mask")
            yield {"label": text}

    with pytest.raises(DataError, match=r"in\.csv, line 302: no mask"):
        answer_rows(stopping, read_inputs("ner", source), out, facts={})
    out.with_name("out.jsonl.part").unlink()
    source.write_text("text\nbad\n")
    for _ in range(2):  # nothing was kept, so nothing has to be gone on with or removed
        with pytest.raises(DataError, match="line 2"):
            answer_rows(stopping, read_inputs("ner", source), out, facts={})


def test_answers_that_cannot_be_written_are_kept_for_another_try(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_path: object, _target: object) -> None:
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    inputs, out = read_inputs("text-classification", table, text="text"), tmp_path / "out.jsonl"
    with monkeypatch.context() as patch:
        patch.setattr("gradatim.engine.atomic.os.replace", full)
        with pytest.raises(DataError, match=r"out\.jsonl was not written: Disk quota exceeded"):
            answer_rows(lengths, inputs, out, facts={})
    assert {path.name for path in tmp_path.iterdir()} == {"texts.csv", "out.jsonl.part"}
    assert answer_rows(lengths, inputs, out, facts={}, resume=True) == len(TEXTS)


def test_the_command_answers_a_file(tiny_artifact: Path, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("a fine film\na dull one\n")
    out = tmp_path / "o.csv"
    words = ["run", "text-classification", tiny_artifact, "--input", tmp_path / "in.txt", "--output", out]
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    rows = list(csv.DictReader(io.StringIO(out.read_text())))
    assert [row["text"] for row in rows] == ["a fine film", "a dull one"]
    assert all(row["label"] and 0 < float(row["score"]) <= 1 for row in rows)


def test_options_on_the_command_line_are_what_they_are_in_python() -> None:
    given = ["top_k=3", "top_k=None", "multi_label=False", "truncation=true", 'labels=["a"]', "name=a=b"]
    assert [_option(one)[1] for one in given] == [3, None, False, True, ["a"], "a=b"]
    with pytest.raises(ConfigError, match="name=value"):
        _option("top_k")
