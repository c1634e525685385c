"""Words between white space: as `bytes.split` finds them, with equal hashes for equal words."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gradatim.text.spaced import hash_words, spaced_words

LETTERS = st.sampled_from("ab\u00e9\u4e2d\U0001f600 \t\n")


@given(st.text(LETTERS, max_size=80))
def test_the_words_of_each_line_as_split_gives_them(text: str) -> None:
    data = text.encode()
    found = spaced_words(data)
    lines = data.split(b"\n")
    expected = [(number, word) for number, line in enumerate(lines) for word in line.split()]
    assert [(line, found.word(i)) for i, line in enumerate(found.lines.tolist())] == expected
    assert found.num_lines == len(lines) - (lines[-1] == b"")


@given(st.lists(st.binary(min_size=1, max_size=40).filter(lambda word: min(word) > 32), max_size=12))
def test_hashes_name_words(words: list[bytes]) -> None:
    found = spaced_words(b" ".join(words))
    assert (found.hashes == hash_words(words)).all()
    assert len(np.unique(found.hashes)) == len(set(words))
    assert found.column(np.arange(len(words))).tolist() == words


def test_words_that_share_their_beginnings_differ() -> None:
    words = [b"a" * n for n in range(1, 60)]
    assert len(set(hash_words(words).tolist())) == len(words)
