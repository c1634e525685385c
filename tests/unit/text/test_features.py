"""Features are the n-grams they claim to be, with spans, blocks and sides kept apart."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from gradatim.errors import ConfigError
from gradatim.text.features import CHARACTERS, OVERLAP, WORDS, FeatureEncoder, FeatureSettings


def rows(encoder: FeatureEncoder, texts: list[str], pairs: list[str] | None = None) -> list[list[int]]:
    arrays = encoder.encode(texts, pairs).arrays
    return [row.tolist() for row in np.split(arrays["keys"], np.cumsum(arrays["lengths"])[:-1])]


def block(key: int) -> int:
    return key >> 62


def test_the_counts_of_keys_are_the_counts_of_ngrams() -> None:
    """Against a plain reading of scikit-learn's char_wb and of word n-grams."""
    words = ["the", "cat", "saw", "the", "cat"]
    characters = [
        f" {word} "[i : i + n] for word in words for n in range(2, 6) for i in range(len(word) + 3 - n)
    ]
    expected = {WORDS: Counter([*words, *pairwise(words)]), CHARACTERS: Counter(characters)}
    keys = Counter(rows(FeatureEncoder(), ["The cat saw the CAT"])[0])
    for number, grams in expected.items():
        found = [count for key, count in keys.items() if block(key) == number]
        assert sorted(found) == sorted(grams.values())


def test_spans_cut_the_text_the_key_came_from() -> None:
    encoder = FeatureEncoder(FeatureSettings(words=2, shortest=3, longest=3))
    texts = ["It's GOOD", "", "so good"]
    keys = encoder.encode(texts).arrays["keys"]
    lengths = encoder.encode(texts).arrays["lengths"]
    origin, start, end = encoder.spans(texts)
    cut = [texts[row][a:b] for row, a, b in zip(np.repeat(range(3), lengths), start, end, strict=True)]
    assert set(origin.tolist()) == {0}
    assert cut[:3] == ["It's", "GOOD", "It's GOOD"]
    same = {}
    for key, piece in zip(keys.tolist(), cut, strict=True):
        same.setdefault(key, set()).add(piece.lower())
    assert all(len(pieces) == 1 for pieces in same.values())
    good = [key for key, piece in zip(keys.tolist(), cut, strict=True) if piece.lower() == "good"]
    assert len(good) == 2
    assert good[0] == good[1]


def test_no_characters_when_not_asked_for() -> None:
    encoder = FeatureEncoder(FeatureSettings(words=1, longest=0))
    assert [len(row) for row in rows(encoder, ["a b a", ""])] == [3, 0]
    only_characters = FeatureEncoder(FeatureSettings(words=0))
    assert {block(key) for key in rows(only_characters, ["word"])[0]} == {CHARACTERS}


def test_a_pair_tells_its_sides_apart_and_how_much_they_share() -> None:
    encoder = FeatureEncoder(FeatureSettings(pairs=True))
    forward, backward, same, twice = rows(encoder, ["a b", "c d", "a b", "a b"], ["c d", "a b", "a b", "a b"])
    assert forward != backward
    assert not {key for key in forward if block(key) != OVERLAP} & {
        key for key in backward if block(key) != OVERLAP
    }
    assert same == twice
    overlap = [[key for key in row if block(key) == OVERLAP] for row in (forward, backward, same)]
    assert overlap[0] == overlap[1] != overlap[2]
    assert len(overlap[0]) == 2 * (2 + 4)  # both directions of each kind of n-gram


def test_overlap_counts_distinct_shared_words_in_tenths() -> None:
    encoder = FeatureEncoder(FeatureSettings(words=1, longest=0, pairs=True))
    pairs = ["a b c d x", "a b c d y", "a q r s t"]
    four, also_four, one = (
        [key for key in row if block(key) == OVERLAP] for row in rows(encoder, ["a b c d e"] * 3, pairs)
    )
    assert four == also_four != one


def test_spans_of_a_pair_name_the_text() -> None:
    encoder = FeatureEncoder(FeatureSettings(words=1, longest=0, pairs=True))
    origin, start, end = encoder.spans(["one two"], ["three"])
    assert origin.tolist() == [0, 0, 1, 2, 2]
    assert end[2] - start[2] == len("three")
    assert (end[3:] == start[3:]).all()


def test_settings_rebuild_the_encoder() -> None:
    encoder = FeatureEncoder(FeatureSettings(words=1, shortest=1, longest=3, pairs=True))
    assert FeatureEncoder.from_settings(encoder.settings()).options == encoder.options


@pytest.mark.parametrize(
    "settings",
    [{"kind": "words"}, {"kind": "features", "wrods": 2}, {"kind": "features", "shortest": 6}],
)
def test_settings_that_make_no_encoder_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        FeatureEncoder.from_settings(settings)


def test_pairs_must_be_given_exactly_when_expected() -> None:
    with pytest.raises(ConfigError):
        FeatureEncoder().encode(["a"], ["b"])
    with pytest.raises(ConfigError):
        FeatureEncoder(FeatureSettings(pairs=True)).encode(["a"])
    with pytest.raises(ConfigError):
        FeatureSettings(words=0, longest=0)
