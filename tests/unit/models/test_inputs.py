"""Batches cut from packed texts hold exactly what was asked for; windows pool as in the pipeline."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gradatim.models.inputs import FILL, Inputs, PackedTexts
from gradatim.pipelines.classification import pool_windows
from gradatim.types import Encoded

windows_of = st.lists(st.lists(st.integers(1, 7), min_size=1, max_size=3), min_size=1, max_size=6)


def encode(windows: list[list[int]], *, segments: bool = True) -> Encoded:
    """Texts with windows of these lengths; every token's id is its place, so none can be confused."""
    lengths = np.array([n for text in windows for n in text])
    owners = np.repeat(np.arange(len(windows)), [len(text) for text in windows])
    arrays = {"ids": np.arange(lengths.sum()), "lengths": lengths}
    if segments:
        arrays["segments"] = arrays["ids"] % 2
    return Encoded(arrays, owners, len(windows))


@given(windows=windows_of, data=st.data())
def test_take_gives_back_exactly_the_texts_asked_for(windows: list[list[int]], data: st.DataObject) -> None:
    texts = PackedTexts(encode(windows))
    assert texts.sizes.tolist() == [sum(text) for text in windows]
    wanted = data.draw(st.lists(st.integers(0, len(windows) - 1), min_size=1, max_size=9))
    batch = texts.take(np.array(wanted))
    begins = np.cumsum([0, *texts.sizes])
    tokens = np.concatenate([np.arange(begins[t], begins[t + 1]) for t in wanted])
    assert batch.num_tokens == len(tokens)
    assert batch.ids[: batch.num_tokens].tolist() == tokens.tolist()
    assert batch.segments is not None
    assert batch.segments[: batch.num_tokens].tolist() == (tokens % 2).tolist()
    assert batch.layout.lengths[: len(batch.owners)].tolist() == [n for t in wanted for n in windows[t]]
    assert batch.owners.tolist() == [i for i, t in enumerate(wanted) for _ in windows[t]]
    assert batch.num_texts == len(wanted)


@given(windows=windows_of, seed=st.integers(0, 99))
def test_windows_are_pooled_as_in_the_pipeline(windows: list[list[int]], seed: int) -> None:
    encoded = encode(windows, segments=False)
    logits = np.random.default_rng(seed).normal(size=(len(encoded.owners), 3)).astype(np.float32)
    ours = Inputs.of(encoded.arrays, encoded.owners).pool_windows(torch.from_numpy(logits))
    known = pool_windows(logits, encoded.arrays["lengths"], encoded.owners, encoded.num_texts)
    np.testing.assert_allclose(ours.numpy(), known, atol=1e-5, rtol=1e-4)


def test_longer_windows_weigh_more() -> None:
    encoded = encode([[3, 1], [2]], segments=False)
    logits = torch.tensor([[4.0], [0.0], [7.0]])
    pooled = Inputs.of(encoded.arrays, encoded.owners).pool_windows(logits)
    assert pooled.tolist() == [[3.0], [7.0]]


def test_without_owners_every_row_is_a_text() -> None:
    encoded = encode([[3], [1], [2]], segments=False)
    batch = Inputs.of(encoded.arrays)
    assert batch.segments is None
    assert batch.owners.tolist() == [0, 1, 2]
    logits = torch.randn(3, 2)
    assert batch.pool_windows(logits) is logits


@pytest.mark.parametrize("dtype", [np.int32, np.uint16, np.int64])
def test_ids_of_any_integer_type_are_read(dtype: type) -> None:
    batch = Inputs.of({"ids": np.array([5, 6, 7], dtype), "lengths": np.array([2, 1], dtype)})
    assert batch.ids.dtype == torch.int64
    assert batch.ids[: batch.num_tokens].tolist() == [5, 6, 7]


@given(lengths=st.lists(st.integers(1, 90), min_size=1, max_size=6))
def test_a_batch_is_filled_to_a_known_size_by_rows_no_longer_than_its_own(lengths: list[int]) -> None:
    arrays = {"ids": np.arange(sum(lengths)), "lengths": np.array(lengths)}
    batch = Inputs.of(arrays)
    assert len(batch.ids) == batch.layout.num_tokens
    assert batch.layout.num_tokens % FILL == 0
    assert batch.layout.num_tokens - sum(lengths) < FILL
    # A position table that holds every text of the batch holds what fills it.
    assert int(batch.layout.lengths.max()) == max(lengths)
    assert batch.layout.lengths[: len(lengths)].tolist() == lengths
    assert Inputs.of(arrays, fill=1).layout.lengths.tolist() == lengths
