"""Labels in columns of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from gradatim.data import load_corpus
from gradatim.data.corpus import load_examples
from gradatim.errors import DataError

ROWS = [("you fool", 1, 0, 0), ("damn fool", 1, 1, 0), ("good day", 0, 0, 0), ("i hit you", 0, 0, 1)]


def written(folder: Path, header: str = "id,comment_text,rude,coarse,threat", extra: str = "") -> Path:
    lines = [
        f"{i},{text} {i},{rude},{coarse},{threat}" for i, (text, rude, coarse, threat) in enumerate(ROWS * 10)
    ]
    path = folder / "comments.csv"
    path.write_text("\n".join([header, *lines]) + "\n" + extra)
    return path


def test_columns_of_flags_are_several_labels_a_text(tmp_path: Path) -> None:
    corpus = load_corpus(written(tmp_path))
    assert corpus.task.multi_label
    assert corpus.task.labels == ("coarse", "rude", "threat")
    said = dict(zip(corpus.train.texts, corpus.train.targets.tolist(), strict=True))
    for text, targets in said.items():
        expected = {"you f": [0, 1, 0], "damn ": [1, 1, 0], "good ": [0, 0, 0], "i hit": [0, 0, 1]}
        assert targets == expected[text[:5]]
    assert any("rude, coarse, threat" in note for note in corpus.notes)


def test_some_of_them_may_be_named(tmp_path: Path) -> None:
    corpus = load_corpus(written(tmp_path), label="rude, threat")
    assert corpus.task.labels == ("rude", "threat")
    with pytest.raises(DataError, match=r"'threa'; did you mean 'threat'"):
        load_corpus(written(tmp_path), label="rude,threa")


def test_a_column_called_like_a_label_comes_first(tmp_path: Path) -> None:
    corpus = load_corpus(written(tmp_path, "id,comment_text,label,seen,checked"))
    assert not corpus.task.multi_label
    assert corpus.task.labels == ("0", "1")


def test_a_model_finds_its_labels_among_columns(tmp_path: Path) -> None:
    corpus = load_corpus(written(tmp_path), label="rude,threat")
    examples, _ = load_examples(written(tmp_path), corpus.task)
    assert examples.targets.shape == (40, 2)
    assert examples.targets.sum(axis=0).tolist() == [20, 10]


def test_what_is_neither_0_nor_1_is_named_and_what_is_missing_left_out(tmp_path: Path) -> None:
    path = written(tmp_path, extra="98,bad row,1,2,0\n")
    with pytest.raises(DataError, match=r"line 42: 'coarse' holds '2'"):
        load_corpus(path, label="rude,coarse,threat")
    path = written(tmp_path, extra="98,half a row,1,,0\n")
    assert any("1 row" in note for note in load_corpus(path, label="rude,coarse,threat").notes)
