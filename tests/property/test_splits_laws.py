"""Laws of made splits."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gradatim.data.splits import content_key, shared_rows, split_rows, strata

Rows = list[tuple[int, str]]
rows_of_text = st.lists(st.tuples(st.integers(0, 40), st.sampled_from("abcd")), min_size=1, max_size=120)
shares = st.lists(st.sampled_from([0.1, 0.2, 0.3]), min_size=1, max_size=2)


def made(rows: Rows, shares: list[float], seed: int) -> tuple[list[bytes], list[str], list[np.ndarray]]:
    keys = [content_key(f"text {number}", None) for number, _ in rows]
    labels = [label for _, label in rows]
    return keys, labels, split_rows(keys, labels, shares, seed)


@given(rows_of_text, shares, st.integers(0, 5))
def test_every_row_is_in_exactly_one_part(rows: Rows, shares: list[float], seed: int) -> None:
    _, _, parts = made(rows, shares, seed)
    assert len(parts) == 1 + len(shares)
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(rows)))


@given(rows_of_text, shares, st.integers(0, 5))
def test_equal_texts_are_on_one_side(rows: Rows, shares: list[float], seed: int) -> None:
    keys, _, parts = made(rows, shares, seed)
    for i, one in enumerate(parts):
        for other in parts[i + 1 :]:
            assert shared_rows([keys[r] for r in one], [keys[r] for r in other]) == 0


@given(rows_of_text, shares, st.integers(0, 5))
def test_a_split_depends_on_the_seed_alone(rows: Rows, shares: list[float], seed: int) -> None:
    _, _, first = made(rows, shares, seed)
    _, _, second = made(rows, shares, seed)
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


@given(st.lists(st.sampled_from("abcd"), min_size=1, max_size=200), shares, st.integers(0, 5))
def test_each_label_gets_its_share(labels: list[str], shares: list[float], seed: int) -> None:
    keys = [content_key(str(i), None) for i in range(len(labels))]
    train, *parts = split_rows(keys, labels, shares, seed)
    for name, total in Counter(labels).items():
        counts = [sum(labels[row] == name for row in part) for part in parts]
        assert sum(labels[row] == name for row in train) >= 1
        for at, (count, share) in enumerate(zip(counts, shares, strict=True)):
            left = total - sum(counts[:at])
            assert count == 0 if left == 1 else count >= 1
            assert abs(count - share * total) <= 1


@given(st.lists(st.frozensets(st.sampled_from("abcdef")), max_size=60))
def test_the_stratum_is_the_rarest_label(label_sets: list[frozenset[str]]) -> None:
    counts = Counter(label for labels in label_sets for label in labels)
    for labels, name in zip(label_sets, strata([tuple(s) for s in label_sets]), strict=True):
        assert (name in labels) if labels else name == ""
        assert all(counts[name] <= counts[label] for label in labels)


@given(st.text(max_size=40), st.text(max_size=40))
def test_keys_ignore_case_and_white_space_only(one: str, other: str) -> None:
    same = " ".join(one.split()).casefold() == " ".join(other.split()).casefold()
    assert (content_key(one, None) == content_key(other, None)) == same


def test_a_text_and_a_pair_are_different_things() -> None:
    assert content_key("a", "b") != content_key("a b", None)
    assert content_key("a", "b") != content_key("b", "a")
    assert content_key("a", None) != content_key("a", "")


def test_many_copies_do_not_flood_a_small_part() -> None:
    keys = [content_key("spam", None)] * 500 + [content_key(str(i), None) for i in range(500)]
    _, dev = split_rows(keys, ["x"] * 1000, [0.1], seed=0)
    assert len(dev) == 100
