"""`load_corpus` on good and bad input."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradatim.data import hub, load_corpus, rows
from gradatim.data.splits import content_key
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


def said(corpus: Any, *words: str) -> bool:
    return any(all(word in note for word in words) for note in corpus.notes)


def test_one_table_is_split_80_10_10(tmp_path: Path) -> None:
    corpus = load_corpus(jsonl(tmp_path / "reviews.jsonl", balanced(200)))
    assert corpus.name == "reviews"
    assert corpus.task.labels == ("neg", "pos")
    assert corpus.test is not None
    assert [len(split) for split in (corpus.train, corpus.dev, corpus.test)] == [160, 20, 20]
    for split in (corpus.train, corpus.dev, corpus.test):
        assert np.bincount(split.targets).tolist() == [len(split) // 2] * 2
        assert all(
            int(text.split()[-1]) % 2 == target
            for text, target in zip(split.texts, split.targets, strict=True)
        )
    assert said(corpus, "text column", "'text'")
    assert said(corpus, "160", "stratified", "seed 0")


def test_the_seed_decides_the_split_and_the_digest_tells(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", balanced(100))
    first, again, other = load_corpus(path), load_corpus(path), load_corpus(path, seed=1)
    assert first.digest == again.digest
    assert list(first.dev.texts) == list(again.dev.texts)
    assert set(first.dev.texts) != set(other.dev.texts)
    assert first.digest != other.digest


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", balanced(40))
    first = load_corpus(path)
    jsonl(path, balanced(60))
    assert len(load_corpus(path).train) > len(first.train)
    assert len(list((tmp_path / "cache" / "tables").rglob("*.arrow"))) == 1  # the old state is gone


def test_a_file_of_the_same_name_elsewhere_has_a_cache_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("a", "b"):
        jsonl(tmp_path / folder / "data.jsonl", balanced(40))
        monkeypatch.chdir(tmp_path / folder)
        load_corpus("data.jsonl")
    assert len(list((tmp_path / "cache" / "tables").rglob("*.arrow"))) == 2
    load_corpus(tmp_path / "a" / "data.jsonl")  # known, however it is called
    assert len(list((tmp_path / "cache" / "tables").rglob("*.arrow"))) == 2


def test_folder_with_given_splits_and_a_leak(tmp_path: Path) -> None:
    jsonl(tmp_path / "set" / "train.jsonl", balanced(40))
    jsonl(tmp_path / "set" / "validation.jsonl", labelled([("new", "pos"), ("Text  NUMBER 3", "pos")]))
    jsonl(tmp_path / "set" / "test.jsonl", labelled([("newer", "neg"), ("new", "pos")]))
    corpus = load_corpus(tmp_path / "set")
    assert (len(corpus.train), len(corpus.dev)) == (40, 2)
    assert corpus.test is not None
    assert said(corpus, "leak", "1 of 2 dev", "train")
    assert said(corpus, "leak", "1 of 2 test", "dev")
    assert not said(corpus, "test", "in train")


def test_missing_dev_is_made_from_train(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", balanced(200))
    test = jsonl(tmp_path / "b.jsonl", labelled([("unseen words", "pos")]))
    corpus = load_corpus(path, test=test)
    assert corpus.test is not None
    assert [len(split) for split in (corpus.train, corpus.dev, corpus.test)] == [180, 20, 1]


@pytest.mark.parametrize(("rows", "sizes"), [(16, (12, 4)), (198, (158, 40)), (200, (160, 20, 20))])
def test_of_few_rows_only_dev_is_made(tmp_path: Path, rows: int, sizes: tuple[int, ...]) -> None:
    corpus = load_corpus(jsonl(tmp_path / "a.jsonl", balanced(rows)))
    made = [split for split in (corpus.train, corpus.dev, corpus.test) if split is not None]
    assert tuple(map(len, made)) == sizes
    assert all(np.bincount(split.targets).min() == len(split) // 2 for split in made)
    assert said(corpus, "too few") == (len(sizes) == 2)


def test_train_and_dev_leave_test_empty(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", balanced(100))
    assert load_corpus(path, dev=jsonl(tmp_path / "d.jsonl", balanced(10))).test is None


def test_equal_texts_stay_on_one_side(tmp_path: Path) -> None:
    rows = labelled([(f"Same {'  ' * (i % 2)}Words {i // 4}", "ab"[i // 4 % 2]) for i in range(200)])
    corpus = load_corpus(jsonl(tmp_path / "a.jsonl", rows))
    assert corpus.test is not None
    keys = [
        {content_key(text, None) for text in split.texts} for split in (corpus.train, corpus.dev, corpus.test)
    ]
    assert not keys[0] & keys[1] | keys[0] & keys[2] | keys[1] & keys[2]
    assert said(corpus, "150 rows with the text of another")


def test_rows_without_text_or_label_are_counted_with_their_lines(tmp_path: Path) -> None:
    rows = balanced(40)
    rows[2]["text"], rows[4]["text"], rows[6]["text"] = "", None, " NaN "
    rows[8]["label"], rows[10]["label"] = None, float("nan")
    corpus = load_corpus(jsonl(tmp_path / "a.jsonl", rows))
    assert said(corpus, "3 of 40 rows without text", "lines 3, 5, 7")
    assert said(corpus, "2 of 40 rows without a label", "lines 9, 11")
    assert len(corpus.train) + len(corpus.dev) == 35


def test_pairs_and_given_columns(tmp_path: Path) -> None:
    rows = [{"premise": f"p{i}", "hypothesis": f"h{i}", "note": f"n{i}", "gold": i % 2} for i in range(40)]
    corpus = load_corpus(jsonl(tmp_path / "a.jsonl", rows), label="gold")
    assert corpus.task.pairs
    assert corpus.train.pairs is not None
    assert all(one[1:] == two[1:] for one, two in zip(corpus.train.texts, corpus.train.pairs, strict=True))
    other = load_corpus(jsonl(tmp_path / "a.jsonl", rows), text="note", label="gold")
    assert not other.task.pairs
    assert other.train.texts[0].startswith("n")


def test_several_labels(tmp_path: Path) -> None:
    rows = labelled([(f"t{i}", ["joy|love", "joy", "love", "fear"][i % 4]) for i in range(80)])
    corpus = load_corpus(jsonl(tmp_path / "a.jsonl", rows))
    assert corpus.task.multi_label
    assert corpus.task.labels == ("fear", "joy", "love")
    assert corpus.train.targets.shape == (len(corpus.train), 3)
    by_text = {row["text"]: row["label"] for row in rows}
    for text, target in zip(corpus.dev.texts, corpus.dev.targets, strict=True):
        assert "|".join(np.array(corpus.task.labels)[target > 0]) == by_text[text]
    assert said(corpus, "several labels", "'|'")


def test_test_rows_with_unseen_labels_are_dropped_and_counted(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", balanced(40))
    test = jsonl(tmp_path / "t.jsonl", labelled([("x", "pos"), ("y", "odd"), ("z", "odd"), ("w", "rare")]))
    corpus = load_corpus(path, test=test)
    assert corpus.test is not None
    assert list(corpus.test.texts) == ["x"]
    assert said(corpus, "test: 3 rows left out", "odd (2)", "rare (1)")
    none = load_corpus(path, test=jsonl(tmp_path / "t.jsonl", labelled([("y", "odd")])))
    assert none.test is None


def test_a_test_split_without_labels_is_not_used(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", balanced(40))
    corpus = load_corpus(path, test=jsonl(tmp_path / "t.jsonl", labelled([("x", None), ("y", None)])))
    assert corpus.test is None
    assert said(corpus, "test: not used")


def test_a_test_split_without_a_column_of_labels_is_not_used(tmp_path: Path) -> None:
    jsonl(tmp_path / "set" / "train.jsonl", balanced(100))
    jsonl(tmp_path / "set" / "test.jsonl", [{"text": "a text"}, {"text": "another"}])
    corpus = load_corpus(tmp_path / "set")
    assert corpus.test is None
    assert said(corpus, "test: not used", "no column 'label'")
    jsonl(tmp_path / "set" / "dev.jsonl", [{"text": "a text"}])
    with pytest.raises(DataError, match=r"dev\.jsonl: no column 'label'"):
        load_corpus(tmp_path / "set")


def test_tags_of_words_are_no_labels_of_texts(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="tags of words"):
        load_corpus(jsonl(tmp_path / "a.jsonl", balanced(60, ("O", "B-PER", "I-PER"))))


def test_a_label_with_one_example_stays_in_train(tmp_path: Path) -> None:
    corpus = load_corpus(jsonl(tmp_path / "a.jsonl", [*balanced(40), {"text": "lonely", "label": "once"}]))
    assert "lonely" in corpus.train.texts
    assert said(corpus, "one example only", "once")


def test_one_example_per_class(tmp_path: Path) -> None:
    rows = labelled([(f"t{i}", f"label {i}") for i in range(5)])
    with pytest.raises(DataError, match="every label has a single text"):
        load_corpus(jsonl(tmp_path / "a.jsonl", rows), label="label")


def test_one_class_only(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.jsonl: .*only one: 'pos'"):
        load_corpus(jsonl(tmp_path / "a.jsonl", balanced(20, ["pos"])))


def test_contradicting_labels_are_counted(tmp_path: Path) -> None:
    rows = [*balanced(40), {"text": "text number 0", "label": "pos"}]
    assert said(
        load_corpus(jsonl(tmp_path / "a.jsonl", rows)), "1 text found more than once, with different labels"
    )


def test_mixed_label_types(tmp_path: Path) -> None:
    rows = labelled([("a", 1), ("b", 0), ("c", "1"), ("d", "pos")])
    with pytest.raises(DataError, match=r"mixed.*, line 1; .*, line 3; .*, line 4"):
        load_corpus(jsonl(tmp_path / "a.jsonl", rows))


def test_a_text_that_is_no_string(tmp_path: Path) -> None:
    rows = [*balanced(5), {"text": {"nested": "x"}, "label": "pos"}]
    with pytest.raises(DataError, match="line 6: a text must be a string"):
        load_corpus(jsonl(tmp_path / "a.jsonl", rows))


def test_half_a_surrogate_pair(tmp_path: Path) -> None:
    rows = [*balanced(5), {"text": "bad \ud800 here", "label": "pos"}]
    with pytest.raises(DataError, match=r"line 6: .*half a surrogate"):
        load_corpus(jsonl(tmp_path / "a.jsonl", rows))


def test_nothing_usable(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no usable rows; train: 2 of 2 rows without text"):
        load_corpus(jsonl(tmp_path / "a.jsonl", labelled([("", "a"), (None, "b")])))


def test_header_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text,label\n")
    with pytest.raises(DataError, match="no usable rows"):
        load_corpus(path)


def test_two_megabytes_in_one_text(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    long = "word, " * 350_000
    path.write_text("text,label\n" + "".join(f"text {i},{i % 2}\n" for i in range(40)) + f'"{long}",1\n')
    corpus = load_corpus(path)
    longest = max((text for split in (corpus.train, corpus.dev) for text in split.texts), key=len)
    assert longest == long


def test_large_tables_stay_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = jsonl(tmp_path / "a.jsonl", balanced(2500))
    in_memory = load_corpus(path)
    monkeypatch.setattr(rows, "IN_MEMORY_BYTES", 0)
    mapped = load_corpus(path)
    assert not isinstance(mapped.train.texts, list)
    assert list(mapped.train.texts) == list(in_memory.train.texts)
    assert mapped.train.texts[-1] == in_memory.train.texts[-1]
    assert list(mapped.train.texts[5:8]) == list(in_memory.train.texts[5:8])
    assert mapped.digest == in_memory.digest


def test_disk_full_while_caching_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from gradatim.errors import SourceError

    def full(*_: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "rename", full)
    with pytest.raises(SourceError, match="No space left"):
        load_corpus(jsonl(tmp_path / "a.jsonl", balanced(20)))
    assert list((tmp_path / "cache" / "tables").iterdir()) == []
