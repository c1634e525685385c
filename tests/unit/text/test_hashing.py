"""Hashes tell n-grams apart, and packing keeps rows together."""

import numpy as np

from gradatim.text.hashing import hash_runs, mix, ngrams, pack, row_lengths, salt


def test_mix_is_one_to_one_on_a_million_numbers() -> None:
    assert len(np.unique(mix(np.arange(1_000_000, dtype=np.uint64)))) == 1_000_000


def test_ngrams_stay_inside_their_group_and_depend_on_order() -> None:
    a, b, c = (int(salt(i)) for i in range(3))
    values = np.array([a, b, a, b, b, a], dtype=np.uint64)
    groups = np.array([0, 0, 0, 0, 1, 1])
    found = {n: (first.tolist(), keys.tolist()) for n, first, keys in ngrams(values, groups, 1, 3)}
    assert found[1][0] == [0, 1, 2, 3, 4, 5]
    first, keys = found[2]
    assert first == [0, 1, 2, 4]
    assert keys[0] == keys[2] != keys[1] == keys[3]  # "a b" twice; "b a" in both groups
    assert found[3][0] == [0, 1]
    assert len({*found[1][1], *keys, *found[3][1]}) == 2 + 2 + 2
    assert c not in found[1][1]


def test_ngrams_longer_than_the_text_are_none() -> None:
    empty = np.zeros(0, dtype=np.uint64)
    sizes = {n: len(keys) for n, _, keys in ngrams(empty, np.zeros(0, dtype=np.int64), 1, 3)}
    assert sizes == {1: 0, 2: 0, 3: 0}


def test_runs_hash_by_content_alone() -> None:
    words = ["ab", "b", "ab", "ba", "abc", "a"]
    letters = mix(np.array([ord(c) for c in "".join(words)], dtype=np.uint64))
    lengths = np.array([len(word) for word in words])
    hashes = hash_runs(letters, np.cumsum(lengths) - lengths, lengths)
    assert hashes[0] == hashes[2]
    assert len(set(hashes.tolist())) == 5


def test_pack_joins_arrays_row_by_row() -> None:
    first, first_lengths = np.array([1, 2, 3]), np.array([2, 0, 1])
    second, second_lengths = np.array([10, 20, 30]), np.array([0, 2, 1])
    flat, lengths = pack([first, second], [first_lengths, second_lengths])
    assert flat.tolist() == [1, 2, 10, 20, 3, 30]
    assert lengths.tolist() == [2, 2, 2]


def test_row_lengths_counts_rows_without_entries() -> None:
    assert row_lengths(np.array([0, 0, 2]), 4).tolist() == [2, 0, 1, 0]
