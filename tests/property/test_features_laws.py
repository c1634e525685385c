"""Laws of the hashed encoders: a batch is its texts, and spans point into the text, for any Unicode."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gradatim.text.features import FeatureEncoder
from gradatim.text.words import WordEncoder, split_words

TEXT = st.text(st.characters(), max_size=30)


def split(arrays: dict[str, np.ndarray], name: str) -> list[list[int]]:
    return [row.tolist() for row in np.split(arrays[name], np.cumsum(arrays["lengths"])[:-1])]


@settings(deadline=None, max_examples=80)
@given(st.lists(TEXT, min_size=1, max_size=5))
def test_a_batch_is_its_texts(texts: list[str]) -> None:
    for encoder, name in ((FeatureEncoder(), "keys"), (WordEncoder(), "words")):
        batch = split(encoder.encode(texts).arrays, name)
        assert batch == [split(encoder.encode([text]).arrays, name)[0] for text in texts]


@settings(deadline=None, max_examples=80)
@given(st.lists(TEXT, min_size=1, max_size=4))
def test_spans_lie_in_words_and_words_cover_all_ink(texts: list[str]) -> None:
    encoder = FeatureEncoder()
    lengths = encoder.encode(texts).arrays["lengths"]
    _, start, end = encoder.spans(texts)
    sizes = np.repeat([len(text) for text in texts], lengths)
    assert (start >= 0).all()
    assert (start < end).all()  # also an edge n-gram holds at least one letter
    assert (end <= sizes).all()
    found = split_words(texts)
    for row, text in enumerate(texts):
        mine = found.rows == row
        covered = np.zeros(len(text), dtype=bool)
        for a, n in zip(found.offsets[mine], found.lengths[mine], strict=True):
            assert not covered[a : a + n].any()
            covered[a : a + n] = True
        assert all(covered[i] for i, character in enumerate(text) if character.isalnum())
        assert not any(covered[i] for i, character in enumerate(text) if character.isspace())


@settings(deadline=None, max_examples=80)
@given(TEXT)
def test_equal_words_hash_alike_and_different_words_differ(text: str) -> None:
    found = split_words([text])
    names: dict[int, str] = {}
    lowered = "".join(c.lower() if len(c.lower()) == 1 else c for c in text).replace("’", "'")
    for a, n, key in zip(found.offsets, found.lengths, found.hashes.tolist(), strict=True):
        assert names.setdefault(key, lowered[a : a + n]) == lowered[a : a + n]
    assert len(names) == len({*names.values()})
