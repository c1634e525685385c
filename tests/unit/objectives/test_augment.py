"""Random edits keep what must be kept."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradatim.objectives.augment import MASK_SHARE, SPAN_CHANCE, SPAN_LENGTHS, augment

texts_of = st.lists(st.integers(0, 40).map(lambda n: " ".join(map(str, range(n)))), min_size=1, max_size=9)


@given(texts=texts_of, copies=st.integers(1, 3), seed=st.integers(0, 99))
def test_what_is_not_masked_is_a_run_of_the_text(texts: list[str], copies: int, seed: int) -> None:
    edited = augment(texts, copies, mask="M", seed=seed)
    assert len(edited) == len(texts) * copies
    for row, original in zip((text.split() for text in edited), texts * copies, strict=True):
        known = np.array([i for i, word in enumerate(row) if word != "M"])
        assert len({int(row[i]) - i for i in known}) <= 1
        if len(row) < len(original.split()):
            assert min(SPAN_LENGTHS[0], len(original.split())) <= len(row) <= SPAN_LENGTHS[1]


@given(texts=texts_of, seed=st.integers(0, 99))
def test_the_same_seed_edits_alike_for_every_tokenizer(texts: list[str], seed: int) -> None:
    first = augment(texts, 2, mask="[MASK]", seed=seed)
    assert [text.replace("[MASK]", "<mask>") for text in first] == augment(texts, 2, mask="<mask>", seed=seed)


@given(texts=texts_of, seed=st.integers(0, 99))
def test_whole_texts_are_only_masked(texts: list[str], seed: int) -> None:
    for row, original in zip(augment(texts, 1, mask="M", whole=True, seed=seed), texts, strict=True):
        pairs = zip(row.split(), original.split(), strict=True)
        assert all(word in (before, "M") for word, before in pairs)


def test_shares_are_those_stated() -> None:
    texts = [" ".join(["word"] * 40)] * 4000
    rows = [text.split() for text in augment(texts, 1, mask="M", seed=3)]
    assert np.mean([len(row) < 40 for row in rows]) == pytest.approx(SPAN_CHANCE, abs=0.03)
    words = [word for row in rows for word in row]
    assert words.count("M") / len(words) == pytest.approx(MASK_SHARE, abs=0.01)
