"""Words of any script are found where they are, and hash alike in any case and any batch."""

import numpy as np
import pytest

from gradatim.errors import ConfigError
from gradatim.text.words import COPY, END, START, WordEncoder, split_words


def words(text: str) -> list[str]:
    found = split_words([text])
    return [text[a : a + n] for a, n in zip(found.offsets, found.lengths, strict=True)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It's GREAT, don't miss!!!", ["It's", "GREAT", ",", "don't", "miss", "!!!"]),
        ("so... good?!", ["so", "...", "good", "?", "!"]),
        ("'quoted' o’clock", ["'", "quoted", "'", "o’clock"]),
        ("naïve cafe\u0301 İstanbul", ["naïve", "cafe\u0301", "İstanbul"]),
        ("日本語とkanji", ["日", "本", "語", "と", "kanji"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("می‌خواهم", ["می‌خواهم"]),
        ("a\tb\nc\u00a0d\ufeffe\x00f", ["a", "b", "c", "d", "e", "f"]),
        ("\U0001f600\U0001f600 \U0001f622", ["\U0001f600\U0001f600", "\U0001f622"]),
        ("\ud800 lone", ["\ud800", "lone"]),
        ("", []),
        (" \n ", []),
    ],
)
def test_words_are_found(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_case_and_apostrophe_do_not_matter_but_letters_do() -> None:
    hashes = split_words(["Don’t don't DON'T dont"]).hashes.tolist()
    assert hashes[0] == hashes[1] == hashes[2] != hashes[3]


def test_a_batch_gives_what_its_texts_give_alone() -> None:
    texts = ["one two", "", "three", "two"]
    batch = split_words(texts)
    alone = [split_words([text]).hashes.tolist() for text in texts]
    assert [batch.hashes[batch.rows == row].tolist() for row in range(4)] == alone
    assert batch.offsets.tolist() == [0, 4, 0, 0]


def test_a_word_of_two_million_letters_is_hashed() -> None:
    found = split_words(["x" * 2_000_000, "x" * 1_999_999])
    assert found.lengths.tolist() == [2_000_000, 1_999_999]
    assert found.hashes[0] != found.hashes[1]


def test_sentences_are_framed() -> None:
    encoded = WordEncoder().encode(["good film", ""])
    flat, lengths = encoded.arrays["words"], encoded.arrays["lengths"]
    assert lengths.tolist() == [4, 2]
    assert flat[[0, 3, 4, 5]].tolist() == [START, END, START, END]
    assert encoded.owners.tolist() == [0, 1]


def test_a_pair_marks_what_the_second_text_copies() -> None:
    encoded = WordEncoder(pairs=True).encode(["a cat sat", "x"], ["the CAT", "a"])
    rows = np.split(encoded.arrays["words"], np.cumsum(encoded.arrays["lengths"])[:-1])
    assert len(rows[0]) == 5 + 4
    assert rows[0][5] == START
    assert rows[0][7] == COPY
    assert COPY not in rows[1]  # "a" occurs in the first text of the other row only


def test_settings_rebuild_the_encoder_and_mismatches_are_refused() -> None:
    assert WordEncoder.from_settings(WordEncoder(pairs=True).settings()).pairs
    with pytest.raises(ConfigError):
        WordEncoder.from_settings({"kind": "features"})
    with pytest.raises(ConfigError):
        WordEncoder(pairs=True).encode(["a"])
    with pytest.raises(ConfigError):
        WordEncoder().encode(["a"], ["b"])
