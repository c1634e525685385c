"""Word vectors: neighbours and sums by hand, files of every format there and back, and faults with their line."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from gradatim.data.catalog import resolve_data
from gradatim.errors import DataError, SourceError
from gradatim.pipelines.word_tests import analogies, similarity
from gradatim.vectors.files import load_vectors, save_vectors
from gradatim.vectors.table import WordVectors, parse

ROWS = {"man": (1, 0, 0), "woman": (1, 1, 0), "king": (3, 0, 3), "queen": (2.9, 3, 3.1), "apple": (0, 0, -1),
        "well-known": (0, -2, 0)}  # fmt: skip
VECTORS = WordVectors(list(ROWS), np.array(list(ROWS.values()), dtype=np.float32))


def test_neighbours_and_sums() -> None:
    assert [word for word, _ in VECTORS.near("king", 2)] == ["queen", "man"]
    assert VECTORS.near("king - man + woman", 1)[0][0] == "queen"
    assert VECTORS.near("-man +woman", 1)[0][0] == "queen"
    cosines = dict(VECTORS.near("king", 100))
    assert set(cosines) == set(ROWS) - {"king"}
    assert cosines["man"] == pytest.approx(VECTORS.cosine("man", "king")) == pytest.approx(0.5**0.5)
    assert VECTORS.near("King", 1) == VECTORS.near("king", 1)


def test_expressions_are_sums_of_words() -> None:
    assert parse("king - man + woman") == [(1, "king"), (-1, "man"), (1, "woman")]
    assert parse("well-known") == [(1, "well-known")]
    for bad in ("", "king -", "+ - king"):
        with pytest.raises(DataError, match="no sum of words"):
            parse(bad)
    with pytest.raises(DataError, match="no vector for 'quen'; did you mean 'queen'"):
        VECTORS.near("quen")


@pytest.mark.parametrize("name", ["v.txt", "v.bin"])
def test_files_give_the_vectors_back(tmp_path: Path, name: str) -> None:
    rng = np.random.default_rng(0)
    words = ["na\u00efve", "\u4e2d\u6587", "a", ",", *(f"w{i}" for i in range(300))]
    vectors = WordVectors(words, rng.normal(size=(len(words), 7)).astype(np.float32))
    save_vectors(tmp_path / name, vectors)
    read = load_vectors(tmp_path / name)
    assert list(read.words) == words
    assert (read.table == vectors.table).all()
    with pytest.raises(DataError, match="white space"):
        save_vectors(tmp_path / name, WordVectors(["a b"], vectors.table[:1]))


def test_gloves_text_has_no_header_and_may_have_words_with_spaces(tmp_path: Path) -> None:
    path = tmp_path / "glove.txt.gz"
    path.write_bytes(gzip.compress(b"the 0.5 -1e-3\n. . . 1 2\ncat 3 4\n"))
    read = load_vectors(path)
    assert list(read.words) == ["the", ". . .", "cat"]
    assert read.table[0].tolist() == pytest.approx([0.5, -0.001])


def test_a_folder_of_a_table_and_its_words(tmp_path: Path) -> None:
    np.save(tmp_path / "table.npy", VECTORS.table)
    (tmp_path / "words.txt").write_text("\n".join(VECTORS.words))
    assert load_vectors(tmp_path).near("king", 1)[0][0] == "queen"
    (tmp_path / "words.txt").write_text("one\n")
    with pytest.raises(DataError, match="its list 1 words"):
        load_vectors(tmp_path)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"2 2\na 1 2\nb 1\n", r"line 3: a word and 2 numbers belong here, not 'b 1'"),
        (b"a 1 2\nb 1 x\n", r"line 2: a word and 2 numbers"),
        (b"3 2\na 1 2\nb 1 2\n", r"says 3 words, 2 follow"),
        (b"a 1 nan\n", r"'a' does not hold finite"),
        (b"a 1\n\xff 2\n", r"line 2: the word is not UTF-8"),
        (b"", r"no word vectors"),
        (b"word\n", r"no word vectors"),
        (b"2 1\na 1 2\nb 1 2\n", r"says 1 numbers to a word"),
    ],
)
def test_faults_name_their_line(tmp_path: Path, data: bytes, said: str) -> None:
    path = tmp_path / "v.txt"
    path.write_bytes(data)
    with pytest.raises(DataError, match=said):
        load_vectors(path)


@pytest.mark.parametrize("head", [b"3 3", b"6 2", b"6 0", b"60 3", b"99999999999999 300"])
def test_a_binary_file_whose_first_line_is_wrong_is_refused(tmp_path: Path, head: bytes) -> None:
    save_vectors(tmp_path / "v.bin", VECTORS)
    first, _, rest = (tmp_path / "v.bin").read_bytes().partition(b"\n")
    assert first == b"6 3"
    (tmp_path / "v.bin").write_bytes(head + b"\n" + rest)
    with pytest.raises(DataError):
        load_vectors(tmp_path / "v.bin")


def test_a_folder_without_numbers_is_refused(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("a\nb\n")
    for table in (np.full((2, 2), np.nan), np.array([["1", "2"]] * 2), np.ones((2, 2), dtype=object)):
        np.save(tmp_path / "table.npy", table, allow_pickle=True)
        with pytest.raises(DataError):
            load_vectors(tmp_path)
    (tmp_path / "table.npy").write_bytes(b"no table at all")
    with pytest.raises(DataError, match="no table of numbers"):
        load_vectors(tmp_path)


def test_a_word_that_looks_like_a_sum_is_itself() -> None:
    vectors = WordVectors(["New York", "York", "-", "x"], np.eye(4, dtype=np.float32))
    assert {word for word, _ in vectors.near("New York")} == {"York", "-", "x"}
    assert {word for word, _ in vectors.near("-")} == {"New York", "York", "x"}


def test_a_binary_file_that_was_cut_off_is_refused(tmp_path: Path) -> None:
    save_vectors(tmp_path / "v.bin", VECTORS)
    whole = (tmp_path / "v.bin").read_bytes()
    (tmp_path / "v.bin").write_bytes(whole[:-9])
    with pytest.raises(DataError, match="ends within word 6 of 6"):
        load_vectors(tmp_path / "v.bin")
    with pytest.raises(SourceError, match="glove-6b-50d"):
        resolve_data(tmp_path / "missing.txt", "vectors")
    assert resolve_data(tmp_path, "vectors") == tmp_path


def test_similarity_counts_what_it_covers(tmp_path: Path) -> None:
    path = tmp_path / "EN-SET.txt"
    path.write_text("king\tqueen\t9\nman\twoman\t8\nKing\tapple\t1\nzebra\tman\t5\n\n")
    found = similarity(VECTORS, path)
    assert (found.name, found.covered, found.total) == ("SET", 3, 4)
    assert found.score == pytest.approx(100)
    path.write_text("king queen 3\nzebra man 5\n")
    assert similarity(VECTORS, path).score is None  # of one pair there is no correlation
    path.write_text("king queen nan\n")
    with pytest.raises(DataError, match="line 1: two words and a score"):
        similarity(VECTORS, path)


def test_analogies_by_section(tmp_path: Path) -> None:
    path = tmp_path / "questions.txt"
    questions = ": royal\nman King woman Queen\nman woman king queen\n"
    path.write_text(questions + ": odd\nman king apple woman\nman king woman zebra\n")
    royal, odd, every = analogies(VECTORS, path)
    assert (royal.name, royal.score, royal.covered, royal.total) == ("royal", 100, 2, 2)
    assert (odd.covered, odd.total) == (1, 2)
    assert (every.name, every.covered, every.total) == ("all", 3, 4)
    assert odd.score is not None
    assert every.score == pytest.approx((200 + odd.score) / 3)
    few = analogies(VECTORS, path, limit=3)[-1]  # queen is the fourth word
    assert (few.covered, few.score) == (0, None)
    path.write_text(": x\na b c\n")
    with pytest.raises(DataError, match="line 2: four words"):
        analogies(VECTORS, path)
