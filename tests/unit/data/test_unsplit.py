"""Examples for an existing model, and plain texts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gradatim.data import load_examples, load_texts
from gradatim.errors import DataError
from gradatim.types import Task

pytest.importorskip("datasets")

BINARY = Task(("negative", "positive"))


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADATIM_CACHE", str(tmp_path / "cache"))


def write(path: Path, content: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(content, encoding="utf-8")
    return path


def test_class_ids_are_those_of_the_model(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "text,label\nfine,positive\ndull,negative\nso so,neutral\nodd,neutral\n")
    examples, notes = load_examples(path, Task(("positive", "other", "negative")))
    assert list(examples.texts) == ["fine", "dull"]
    assert examples.targets.tolist() == [0, 2]
    assert any("2 rows left out" in note and "neutral (2)" in note for note in notes)


def test_numbers_are_positions_when_no_name_fits(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "text,label\nfine,1\ndull,0\nfine too,1\n")
    examples, notes = load_examples(path, BINARY)
    assert examples.targets.tolist() == [1, 0, 1]
    assert any("positions" in note for note in notes)
    with pytest.raises(DataError, match="none of its labels"):
        load_examples(write(tmp_path / "b.csv", "text,label\nfine,1\ndull,2\n"), BINARY)


def test_foreign_labels(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none of its labels .*ham.*positive"):
        load_examples(write(tmp_path / "a.csv", "text,label\nfine words,ham\ndull,spam\n"), BINARY)


def test_split_is_chosen_and_said(tmp_path: Path) -> None:
    write(tmp_path / "set" / "train.csv", "text,label\nthe first,positive\nthe second,negative\n")
    write(tmp_path / "set" / "dev.csv", "text,label\nin dev,positive\nas well,negative\n")
    examples, notes = load_examples(tmp_path / "set", BINARY)
    assert list(examples.texts) == ["in dev", "as well"]
    assert any("no test split" in note for note in notes)
    assert list(load_examples(tmp_path / "set", BINARY, split="train")[0].texts) == [
        "the first",
        "the second",
    ]
    with pytest.raises(DataError, match="no split 'tset'"):
        load_examples(tmp_path / "set", BINARY, split="tset")


def test_several_labels_for_a_model_of_several(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", 'text,label\nx y,"joy,love"\ny z,fear\n')
    several = Task(("fear", "joy", "love"), multi_label=True)
    assert load_examples(path, several)[0].targets.tolist() == [[0, 1, 1], [1, 0, 0]]
    lists = write(tmp_path / "a.jsonl", json.dumps({"text": "x", "label": ["positive"]}) + "\n")
    with pytest.raises(DataError, match="several labels"):
        load_examples(lists, BINARY)


def test_pairs_are_wanted_by_the_task(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "sentence1,sentence2,label\na b,c d,positive\ne f,g h,negative\n")
    assert load_examples(path, BINARY)[0].pairs is None
    pairs = load_examples(path, Task(BINARY.labels, pairs=True))[0].pairs
    assert pairs is not None
    assert list(pairs) == ["c d", "g h"]


def test_texts_of_lines_and_columns(tmp_path: Path) -> None:
    lines = write(tmp_path / "a.txt", "one, with a comma\n\n“two”\r\n")
    assert load_texts(lines) == (["one, with a comma", "“two”"], None)
    table = write(tmp_path / "a.csv", "id,review\n1,good one\n2,\n3,bad one\n")
    assert load_texts(table)[0] == ["good one", "bad one"]
    assert load_texts(table, text="id")[0] == ["1", "2", "3"]


def test_texts_in_pairs(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv", "question\tanswer\tcontext\nwho is it\tme\there\nwhat is it\tthat\t\n")
    assert load_texts(path, text_pair="context", pairs=True) == (["who is it"], ["here"])


def test_no_texts_at_all(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no texts"):
        load_texts(write(tmp_path / "a.txt", "\n\n"))
