"""Parallel texts: where they come from, where they stop to fit, and what does not belong in them."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from gradatim.data.cleaning import cleaned
from gradatim.data.parallel import Parallel, load_parallel, misfit
from gradatim.errors import DataError

ENGLISH = "the dog and this cat with their bright yellow things were thinking about something"
GERMAN = "der Hund und diese Katze mit ihren gelben Dingen haben sich etwas ganz anderes gedacht"


def sentences(count: int, seed: int = 0) -> Parallel:
    """Sentences of 6 to 40 words and as long translations."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(6, 40, count)
    sides = [[" ".join(rng.choice(words.split(), size)) for size in sizes] for words in (ENGLISH, GERMAN)]
    return Parallel(*sides)


def write(folder: Path, pairs: Parallel) -> str:
    for side, suffix in zip(pairs, ("en", "de"), strict=True):
        with gzip.open(folder / f"train.{suffix}.gz", "wt", encoding="utf-8") as stream:
            stream.writelines(line + "\n" for line in side)
    return str(folder / "train.{en,de}.gz")


def test_two_files_are_one_parallel_text_without_empty_lines(tmp_path: Path) -> None:
    pairs = Parallel(["one", "", "three", " "], ["eins", "zwei", "drei", "vier"])
    splits, notes = load_parallel(write(tmp_path, pairs))
    assert splits == {"train": Parallel(["one", "three"], ["eins", "drei"])}
    assert notes == ["train: 2 pairs left out, one side is empty"]


@pytest.mark.parametrize(("name", "text"), [
    ("pairs.csv", "english,german\none,eins\ntwo,zwei\n"),
    ("pairs.jsonl", '{"english": "one", "german": "eins"}\n{"english": "two", "german": "zwei"}\n'),
])  # fmt: skip
def test_a_table_gives_two_of_its_columns(tmp_path: Path, name: str, text: str) -> None:
    pytest.importorskip("datasets")
    (tmp_path / name).write_text(text)
    splits, notes = load_parallel(str(tmp_path / name), text="german", text_pair="english")
    assert splits["train"] == Parallel(["eins", "zwei"], ["one", "two"])
    assert "text column: 'german' (given)" in notes


@pytest.mark.parametrize("dev", ["german,english\neins,one\n", "id,english,german\n7,one,eins\n"])
@pytest.mark.parametrize("train", ["english,german\ntwo,zwei\n", "id,note,english,german\n1,new,two,zwei\n"])
def test_sides_are_looked_for_by_name_in_every_split(tmp_path: Path, train: str, dev: str) -> None:
    pytest.importorskip("datasets")
    (tmp_path / "train.csv").write_text(train)
    (tmp_path / "dev.csv").write_text(dev)
    splits, _ = load_parallel(str(tmp_path), text="english", text_pair="german")
    assert splits == {"train": Parallel(["two"], ["zwei"]), "dev": Parallel(["one"], ["eins"])}


def test_files_of_different_length_are_refused_with_the_line_where_they_part(tmp_path: Path) -> None:
    pairs = sentences(400)
    name = write(tmp_path, Parallel(pairs.sources, pairs.targets[:150] + pairs.targets[152:]))
    with pytest.raises(DataError, match=r"400 lines.*398.*about line 1(49|50|51|52|53)\b"):
        load_parallel(name)


@pytest.mark.parametrize("lost", [0, 1])
@pytest.mark.parametrize("at", [20, 200, 380])
@pytest.mark.parametrize("lines", [1, 4])
def test_the_place_where_lines_are_missing_is_found(lost: int, at: int, lines: int) -> None:
    sides = list(sentences(400, seed=at))
    sides[lost] = sides[lost][:at] + sides[lost][at + lines :]
    assert abs(misfit(*sides) - at) <= 3


def test_what_does_not_belong_is_left_out_and_counted() -> None:
    pairs = sentences(600)
    bad = Parallel(
        [pairs.sources[7], "Budapest", "the dog " * 3, pairs.sources[8], pairs.targets[9]],
        [
            pairs.targets[7],
            "Budapest",
            "der Hund und diese Katze " * 30,
            pairs.sources[12],
            pairs.targets[9] + " x",
        ],
    )
    mixed = Parallel(pairs.sources + bad.sources, pairs.targets + bad.targets)
    kept, notes = cleaned(mixed)
    assert kept == pairs
    assert [note.split(": ")[1] for note in notes] == [
        "the pair has come before", "both sides are the same", "their lengths do not fit",
        "a side is in the wrong language",
    ]  # fmt: skip
    assert [note.split()[0] for note in notes] == ["1", "1", "1", "2"]


def test_summaries_keep_their_language_and_their_lengths() -> None:
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(ENGLISH.split(), size)) for size in rng.integers(20, 300, 200)]
    short = [" ".join(rng.choice(ENGLISH.split(), 5)) for _ in texts]
    kept, notes = cleaned(Parallel(texts, short))
    assert len(kept.sources) == 200
    assert not notes
