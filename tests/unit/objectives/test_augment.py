"""Random edits keep what must be kept."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradatim.objectives.augment import MASK_SHARE, SPAN_CHANCE, SPAN_LENGTHS, augment, join
from gradatim.types import Array, Encoded

MASK, FIRST, LAST = 999, 101, 102
rows_of = st.lists(st.integers(1, 40), min_size=1, max_size=9)


def encode(lengths: list[int], *, pairs: bool = False) -> Encoded:
    rows = []
    for n in lengths:
        row = np.arange(n)
        row[-1], row[0] = LAST, FIRST
        rows.append(row)
    segments = [np.arange(n) >= n // 2 if pairs else np.zeros(n, bool) for n in lengths]
    arrays = {
        "ids": np.concatenate(rows),
        "segments": np.concatenate(segments).astype(np.int64),
        "lengths": np.array(lengths),
    }
    return Encoded(arrays, np.arange(len(lengths)), len(lengths))


def split(encoded: Encoded, name: str = "ids") -> list[Array]:
    return np.split(encoded.arrays[name], np.cumsum(encoded.arrays["lengths"])[:-1])


@given(lengths=rows_of, copies=st.integers(1, 3), seed=st.integers(0, 99))
def test_special_tokens_stay_and_no_row_grows(lengths: list[int], copies: int, seed: int) -> None:
    edited = augment(encode(lengths), copies, mask_id=MASK, seed=seed)
    originals = split(encode(lengths)) * copies
    assert edited.num_texts == len(originals)
    assert edited.owners.tolist() == list(range(len(originals)))
    assert len(edited.arrays["ids"]) == len(edited.arrays["segments"]) == edited.arrays["lengths"].sum()
    for row, original in zip(split(edited), originals, strict=True):
        assert row[0] == original[0]
        assert row[-1] == original[-1]
        assert 1 <= len(row) <= len(original)
        # What is not masked is a run of consecutive tokens: positions count up by one.
        inner = row[1:-1]
        known = np.flatnonzero(inner != MASK)
        assert len(set((inner[known] - known).tolist())) <= 1
        if len(row) < len(original):
            assert min(SPAN_LENGTHS[0], len(original) - 2) <= len(row) - 2 <= SPAN_LENGTHS[1]


@given(lengths=rows_of.filter(lambda lengths: max(lengths) > 1), seed=st.integers(0, 99))
def test_pairs_stay_whole(lengths: list[int], seed: int) -> None:
    start = encode(lengths, pairs=True)
    edited = augment(start, 2, mask_id=MASK, seed=seed)
    assert edited.arrays["lengths"].tolist() == lengths * 2
    assert np.array_equal(edited.arrays["segments"], np.tile(start.arrays["segments"], 2))
    changed = edited.arrays["ids"] != np.tile(start.arrays["ids"], 2)
    assert (edited.arrays["ids"][changed] == MASK).all()


def test_repeats_with_the_seed_and_differs_between_copies() -> None:
    start = encode([29, 31, 37])
    first, again, other = (augment(start, 2, mask_id=MASK, seed=seed) for seed in (5, 5, 6))
    assert all(np.array_equal(first.arrays[name], again.arrays[name]) for name in first.arrays)
    assert not np.array_equal(first.arrays["ids"], other.arrays["ids"])
    assert [row.tolist() for row in split(first)[:3]] != [row.tolist() for row in split(first)[3:]]


def test_masks_and_spans_come_as_often_as_stated() -> None:
    start = encode([30] * 2000)
    edited = augment(start, 1, mask_id=MASK, seed=0)
    cut = edited.arrays["lengths"] < 30
    assert cut.mean() == pytest.approx(SPAN_CHANCE, abs=0.03)
    ids = edited.arrays["ids"]
    inner = (ids != FIRST) & (ids != LAST)
    assert (ids[inner] == MASK).mean() == pytest.approx(MASK_SHARE, abs=0.01)


def test_join_keeps_the_first_texts_first() -> None:
    first = Encoded({"ids": np.arange(6), "lengths": np.array([2, 3, 1])}, np.array([0, 0, 1]), 2, cut=3)
    second = Encoded({"ids": np.arange(10, 14), "lengths": np.array([4])}, np.array([0]), 1, cut=4)
    both = join(first, second)
    assert both.arrays["ids"].tolist() == [0, 1, 2, 3, 4, 5, 10, 11, 12, 13]
    assert both.arrays["lengths"].tolist() == [2, 3, 1, 4]
    assert both.owners.tolist() == [0, 0, 1, 2]
    assert (both.num_texts, both.cut) == (3, 7)
