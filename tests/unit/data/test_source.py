"""What a source can be: files, folders, names, hub data sets."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from gradatim.data import hub, load_corpus
from gradatim.errors import DataError

pytest.importorskip("datasets")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADATIM_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("GRADATIM_DATA", raising=False)
    monkeypatch.setattr(hub, "reachable", lambda: False)


def jsonl(path: Path, rows: Sequence[Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def labelled(pairs: Sequence[tuple[Any, Any]]) -> list[dict[str, Any]]:
    return [{"text": text, "label": label} for text, label in pairs]


def balanced(size: int, labels: Sequence[Any] = ("neg", "pos")) -> list[dict[str, Any]]:
    return labelled([(f"text number {i}", labels[i % len(labels)]) for i in range(size)])


def test_missing_file_offers_the_nearest(tmp_path: Path) -> None:
    jsonl(tmp_path / "reviews.jsonl", balanced(20))
    with pytest.raises(DataError, match=r"did you mean 'reviews\.jsonl'"):
        load_corpus(tmp_path / "reveiws.jsonl")


def test_missing_column_offers_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no column 'lable'; did you mean 'label'"):
        load_corpus(jsonl(tmp_path / "a.jsonl", balanced(20)), label="lable")


def test_unknown_name_says_where_it_was_looked_for() -> None:
    with pytest.raises(DataError, match=r"catalog.*hub.*did you mean 'movie-snippets'"):
        load_corpus("movie-snipets")
    with pytest.raises(DataError, match=r"GRADATIM_DATA \(not set"):
        load_corpus("trec")


def test_weights_are_no_data_set() -> None:
    with pytest.raises(DataError, match="not a data set"):
        load_corpus("minilm-l6")


def test_folder_without_train_or_with_two(tmp_path: Path) -> None:
    jsonl(tmp_path / "a" / "other.jsonl", balanced(20))
    with pytest.raises(DataError, match=r"no file train.*other\.jsonl"):
        load_corpus(tmp_path / "a")
    jsonl(tmp_path / "a" / "train.jsonl", balanced(20))
    (tmp_path / "a" / "train.csv").write_text("text,label\na,1\n")
    with pytest.raises(DataError, match=r"both the train split"):
        load_corpus(tmp_path / "a")


def test_shards_of_a_split(tmp_path: Path) -> None:
    rows = balanced(40)
    jsonl(tmp_path / "a" / "train-00000-of-00002.jsonl", rows[:20])
    jsonl(tmp_path / "a" / "train-00001-of-00002.jsonl", rows[20:])
    jsonl(tmp_path / "a" / "dev.jsonl", balanced(4))
    assert list(load_corpus(tmp_path / "a").train.texts) == [row["text"] for row in rows]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"text": ["a"], "label": "pos"}, "line 2: a text must be a string"),
        ({"text": "a", "label": 0.5}, "line 2: the label 0.5 is a fractional number"),
    ],
)
def test_a_fault_in_a_later_shard_is_told_of_that_file(
    tmp_path: Path, row: dict[str, Any], told: str
) -> None:
    jsonl(tmp_path / "train-00000-of-00002.jsonl", labelled([(f"text {i}", i / 4) for i in range(0, 40, 4)]))
    jsonl(tmp_path / "train-00001-of-00002.jsonl", [*labelled([("text", 1)]), row])
    with pytest.raises(DataError, match=f"train-00001-of-00002.jsonl, {told}"):
        load_corpus(tmp_path)


def test_rows_left_out_of_a_later_shard_are_told_of_that_file(tmp_path: Path) -> None:
    jsonl(tmp_path / "train-00000-of-00002.jsonl", balanced(20))
    jsonl(tmp_path / "train-00001-of-00002.jsonl", [*balanced(20), {"text": "", "label": "pos"}])
    notes = load_corpus(tmp_path).notes
    assert any("1 of 41 rows" in note and "train-00001-of-00002.jsonl, line 21" in note for note in notes)


@pytest.mark.parametrize("name", ["trec", "tweets"])
def test_a_folder_that_hides_a_data_set_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GRADATIM_DATA", str(tmp_path / "benchmarks"))
    jsonl(tmp_path / name / "train.jsonl", balanced(40))
    corpus = load_corpus(name)
    assert len(corpus.train) == 32
    assert str(tmp_path / name) in corpus.notes[0]
    assert not any(str(tmp_path / name) in note for note in load_corpus(f"./{name}").notes)


def test_hub_data_set_with_class_names(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["pos", "neg"])}
    )
    train = datasets.Dataset.from_dict(
        {"text": [f"t{i}" for i in range(40)], "label": [i % 2 for i in range(40)]}, features=features
    )
    hidden = datasets.Dataset.from_dict({"text": ["x"], "label": [-1]}, features=features)
    splits = {"train": train, "validation": train.select(range(4)), "test": hidden}
    monkeypatch.setattr(hub, "reachable", lambda: True)
    monkeypatch.setattr(hub, "dataset", lambda _: splits)
    corpus = load_corpus("owner/name")
    assert corpus.task.labels == ("pos", "neg")
    assert len(corpus.dev) == 4
    assert corpus.test is None
    assert corpus.train.targets[:2].tolist() == [0, 1]
