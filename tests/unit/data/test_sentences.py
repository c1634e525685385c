"""Tagged sentences as a corpus: what is recognised, how it is split, in which scheme tags come."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gradatim.data import is_tagged, load_tagged, load_tagged_examples
from gradatim.data.divided import files_of
from gradatim.data.sentences import TAGGED as SENTENCES
from gradatim.data.tagged import read_tagged, to_iob2
from gradatim.errors import DataError

TAGGED = "EU B-ORG\nsaid O\n\nRome B-LOC\n\n"


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        ("a.txt", TAGGED, True),
        ("a.conll", "EU\tNNP\tS-ORG\n\n", True),
        ("a.conllu", "", True),
        ("a.txt", "DESC How did it go ?\nHUM Who ?\n", False),
        ("a.txt", "a B-X\nb B-X\n", False),  # no blank line
        ("a.txt", "\n\n", False),
        ("a.txt", "vitamin O\n\n", False),
        ("a.csv", TAGGED, False),
        ("a.txt", TAGGED + "Anna b-PER\nand\n", True),  # to be told of by their lines
        ("a.conll", "vitamin O\n", True),
    ],
)
def test_what_a_file_holds_tells(tmp_path: Path, name: str, text: str, wanted: bool) -> None:
    assert is_tagged(write(tmp_path / name, text)) is wanted
    assert not is_tagged(str(tmp_path / "absent.txt"))


ROWS = [
    {"id": 1, "tokens": ["EU", "said"], "ner_tags": ["I-ORG", "O"]},
    {"id": 2, "tokens": [], "ner_tags": []},
]


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet", ".csv"])
def test_a_table_of_lists_is_read_as_sentences(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    if suffix == ".jsonl":
        write(path, "".join(json.dumps(row) + "\n" for row in ROWS))
    elif suffix == ".csv":  # as a data frame writes lists
        write(
            path,
            "id,tokens,ner_tags\n" + "".join(f'{r["id"]},"{r["tokens"]}","{r["ner_tags"]}"\n' for r in ROWS),
        )
    else:
        pq.write_table(pa.Table.from_pylist(ROWS), path)
    assert is_tagged(path)
    (sentence,) = read_tagged(path)
    assert (sentence.words, sentence.tags) == (("EU", "said"), ("B-ORG", "O"))


def test_parts_of_speech_stay_as_they_are_in_a_table(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.jsonl", json.dumps({"words": ["it", "rains"], "upos": ["PRON", "VERB"]}) + "\n"
    )
    assert [one.tags for one in read_tagged(path)] == [("PRON", "VERB")]


@pytest.mark.parametrize(
    ("tokens", "tags", "fault"),
    [(["a", "b"], ["O"], "as many tags"), (["a", "b"], ["B-X", 3], "3 of 'b'"), (["a", "b"], ["B-X", "X"], "'X'"),
     (["a", "b"], "O O", "a list of words"), (["a"], 3, "a list of words")],
)  # fmt: skip
def test_a_row_of_a_table_that_is_no_sentence_is_named(
    tmp_path: Path, tokens: object, tags: object, fault: str
) -> None:
    fine = {"tokens": ["EU"], "ner_tags": ["B-ORG"]}
    lines = [json.dumps(row) + "\n" for row in (fine, {"tokens": tokens, "ner_tags": tags})]
    with pytest.raises(DataError, match=f"line 2.*{fault}"):
        read_tagged(write(tmp_path / "a.jsonl", "".join(lines)))


def test_a_tag_misspelt_is_told_of_by_its_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="line 6: the tag 'b-PER' of 'Anna'"):
        load_tagged(write(tmp_path / "a.txt", TAGGED + "Anna b-PER\n"))


def test_a_folder_is_told_by_its_training_file(tmp_path: Path) -> None:
    assert not is_tagged(tmp_path)
    (tmp_path / "train.txt.gz").write_bytes(gzip.compress(TAGGED.encode()))
    write(tmp_path / "valid.txt", "Oslo B-LOC\n\nAnna B-PER\n")
    assert is_tagged(tmp_path)
    corpus = load_tagged(tmp_path)
    assert (len(corpus.train), len(corpus.dev), corpus.test) == (2, 1 + 1, None)
    assert corpus.task.labels == ("O", "B-LOC", "B-ORG")
    assert corpus.task.marks_entities
    assert any("dev: 1 tags do not occur in train: B-PER" in note for note in corpus.notes)
    examples, (note,) = load_tagged_examples(tmp_path)
    assert len(examples) == 2
    assert "evaluated on dev" in note


def test_the_files_of_every_split_are_those_of_a_folder_or_the_file_itself(tmp_path: Path) -> None:
    train, dev = (write(tmp_path / name, TAGGED) for name in ("train.conll", "val.conll"))
    write(tmp_path / "notes.md", "")
    assert files_of(tmp_path, SENTENCES) == {"train": [train], "dev": [dev]}
    assert files_of(str(train), SENTENCES) == {"train": [train]}
    with pytest.raises(DataError, match="has no file train"):
        files_of(write(tmp_path / "sub" / "a.conll", TAGGED).parent, SENTENCES)


def test_tags_that_a_model_does_not_have_are_told(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", TAGGED)
    _, notes = load_tagged_examples(path, known=("O", "B-LOC"))
    assert any("1 tags are none that the model has" in note and "B-ORG" in note for note in notes)
    with pytest.raises(DataError, match="none of its tags"):
        load_tagged_examples(path, known=("O", "B-PER"))


def test_words_and_tags_come_back_from_their_strings(tmp_path: Path) -> None:
    corpus = load_tagged(
        write(tmp_path / "a.txt", "New York\tB-LOC\n!\tO\n\nRome\tB-LOC\n\n"), dev=tmp_path / "a.txt"
    )
    assert corpus.train.texts[0].split(" ") == ["New\u00a0York", "!"]
    assert corpus.train.targets.tolist() == ["B-LOC O", "B-LOC"]


def test_one_file_is_split_and_equal_sentences_stay_together(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", "".join(f"w{i // 2} {'B-X' if i % 3 else 'O'}\n\n" for i in range(60)))
    corpus = load_tagged(path, seed=3)
    assert corpus.test is not None
    splits = [set(split.texts) for split in (corpus.train, corpus.dev, corpus.test)]
    assert len(set.union(*splits)) == sum(map(len, splits)) == 30
    assert load_tagged(path, seed=3).digest == corpus.digest != load_tagged(path, seed=4).digest


def test_the_code_of_a_language_is_left_out(tmp_path: Path) -> None:
    (first, _) = read_tagged(write(tmp_path / "a.txt", "de:Rom\tB-LOC\nde::\tO\n\nde:b\tO\n"))
    assert first.words == ("Rom", ":")
    (mixed,) = read_tagged(write(tmp_path / "b.txt", "de:Rom\tB-LOC\nfr:Rome\tO\n"))
    assert mixed.words == ("de:Rom", "fr:Rome")


@pytest.mark.parametrize(
    ("tags", "wanted"),
    [
        ("I-A I-A O I-B", "B-A I-A O B-B"),
        ("I-A B-A I-A", "B-A B-A I-A"),
        ("B-A E-A S-A S-A O B-B I-B E-B", "B-A I-A B-A B-A O B-B I-B I-B"),
        ("B-A L-A U-A", "B-A I-A B-A"),
        ("E-A E-A", "B-A B-A"),
    ],
)
def test_every_scheme_becomes_iob2(tags: str, wanted: str) -> None:
    assert to_iob2(tags.split()) == wanted.split()


def test_what_cannot_be_learned_from_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="at least two different tags"):
        load_tagged(write(tmp_path / "a.txt", "a B-X\n\nb B-X\n\nc B-X\n"), dev=tmp_path / "a.txt")
    with pytest.raises(DataError, match="can be held out"):
        load_tagged(write(tmp_path / "b.txt", "a B-X\nb O\n"))
    with pytest.raises(DataError, match="no word stands before"):
        read_tagged(write(tmp_path / "c.txt", "\tO\n"))


@pytest.mark.skipif(
    not os.environ.get("GRADATIM_DATA"), reason="GRADATIM_DATA does not name a folder with sets"
)
def test_named_sets_are_recognised() -> None:
    assert is_tagged("conll2003")
    assert is_tagged("wikiann/de")
    assert is_tagged("ud/en_ewt")
    assert not is_tagged("dream")
    assert not is_tagged("sst2")
    examples, _ = load_tagged_examples("wikiann/de")
    assert len(examples) == 10_000
    assert not any(text.startswith("de:") for text in examples.texts)
