"""Text to ids and back, with lines as sentences, rare and unknown words, and marks where they may not be."""

import tempfile
from pathlib import Path

import numpy as np
import pytest

from gradatim.errors import ConfigError, DataError
from gradatim.text.space import Space
from gradatim.text.vocabulary import END, RESERVED, START, UNKNOWN, Vocabulary, read_text

LINES = "the cat sat\n\n  on the  mat \nthe end"


def test_lines_become_sentences_and_words_numbers() -> None:
    text = read_text([("here", LINES.encode())])
    assert text.vocabulary.strings == ["<unk>", "<s>", "</s>", "the", "cat", "sat", "on", "mat", "end"]
    assert text.ids.tolist() == [1, 3, 4, 5, 2, 1, 2, 1, 6, 3, 7, 2, 1, 3, 8, 2]
    assert (text.num_sentences, text.num_words) == (4, 12)


def test_parts_and_files_on_disk_change_nothing() -> None:
    parts = [("a", line.encode() + b"\n") for line in LINES.split("\n")]
    whole = read_text([("a", LINES.encode())])
    with tempfile.TemporaryDirectory() as folder:
        other = read_text(parts, space=Space(Path(folder), block=4))
        assert other.ids.tolist() == whole.ids.tolist()
    assert other.vocabulary.words == whole.vocabulary.words


def test_rare_words_are_unknown() -> None:
    text = read_text([("here", LINES.encode())], min_count=2)
    assert text.vocabulary.strings == ["<unk>", "<s>", "</s>", "the"]
    assert np.count_nonzero(text.ids == UNKNOWN) == 5


def test_a_known_vocabulary_is_kept_and_unknown_words_are_marked() -> None:
    known = read_text([("here", b"a b\n")]).vocabulary
    text = read_text([("there", b"b zebra a <unk>\n")], known=known)
    assert text.vocabulary is known
    assert text.ids.tolist() == [START, 4, UNKNOWN, 3, UNKNOWN, END]


def test_empty_sentences_are_scored_too() -> None:
    known = read_text([("here", b"a b\n")]).vocabulary
    ids, sizes = known.sentences(["b a", "", "\u00e9"])
    assert ids.tolist() == [START, 4, 3, END, START, END, START, UNKNOWN, END]
    assert sizes.tolist() == [4, 2, 3]
    with pytest.raises(DataError, match="line end"):
        known.sentences(["a\nb"])
    with pytest.raises(DataError, match="sentence 2: '<s>'"):
        known.sentences(["a b", "<s> a b </s>"])


def test_what_is_counted_is_what_is_scored() -> None:
    """A line without words is an empty sentence to both, as it is to KenLM."""
    text = read_text([("here", LINES.encode())])
    ids, sizes = text.vocabulary.sentences(LINES.split("\n"))
    assert text.ids.tolist() == ids.tolist()
    assert text.num_sentences == len(sizes)


@pytest.mark.parametrize("data", [b"", b"\n \n\t\n"])
def test_text_without_words_is_refused(data: bytes) -> None:
    with pytest.raises(DataError, match="corpus has no words"):
        read_text([("here", data)])
    with pytest.raises(DataError, match="held out has no words"):
        read_text([("here", data)], known=Vocabulary([*RESERVED, b"a"]))


def test_sentence_marks_in_the_text_are_refused_with_their_line() -> None:
    blocks = [("first.txt", b"a\nb\n"), ("corpus.txt", b"one\n"), ("corpus.txt", b"two\nmore </s> words\n")]
    with pytest.raises(DataError, match=r"corpus\.txt, line 3: '</s>'"):
        read_text(blocks)


def test_a_vocabulary_needs_its_marks_and_distinct_words() -> None:
    with pytest.raises(ConfigError, match="begins with"):
        Vocabulary([b"a", *RESERVED])
    with pytest.raises(ConfigError, match="twice"):
        Vocabulary([*RESERVED, b"a", b"a"])
