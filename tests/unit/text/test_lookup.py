"""Keys are found where they are, others nowhere, whatever the block."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradatim.text.lookup import Lookup
from gradatim.text.space import Space


@settings(deadline=None)
@given(st.sets(st.integers(0, 2**64 - 1), max_size=200), st.lists(st.integers(0, 2**64 - 1), max_size=20))
def test_every_key_is_found_and_nothing_else(keys: set[int], others: list[int]) -> None:
    given_keys = np.array(sorted(keys), dtype=np.uint64)
    lookup, order = Lookup.build(given_keys)
    found = lookup.find(given_keys)
    assert (order[found] == np.arange(len(keys))).all()
    strange = np.array([key for key in others if key not in keys], dtype=np.uint64)
    assert (lookup.find(strange) == -1).all()


@pytest.mark.parametrize("size", [0, 1, 7, 5000])
def test_blocks_on_disk_make_the_same_lookup(size: int) -> None:
    keys = np.unique(np.random.default_rng(0).integers(0, 2**63, size).astype(np.uint64))
    whole, order = Lookup.build(keys)
    with tempfile.TemporaryDirectory() as folder:
        parts, same = Lookup.build(keys, Space(Path(folder), block=300))
    assert (parts.keys == whole.keys).all()
    assert (parts.first == whole.first).all()
    assert (same == order).all()
