"""Packed, padded and one by one are the same; order and grouping change nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from gradatim.nn.axes import BlockConfig
from gradatim.nn.packed import Layout
from gradatim.nn.pooling import pool
from gradatim.nn.recurrent import Recurrent
from gradatim.nn.stack import Stack

WIDTH = 10
lengths_of = st.lists(st.integers(1, 13), min_size=1, max_size=7)
wastes = st.floats(0, 1)


def _layers() -> dict[str, nn.Module]:
    torch.manual_seed(0)
    config = BlockConfig(width=WIDTH, num_heads=2, ffn_width=11)
    return {"stack": Stack(config, 2).eval(), "lstm": Recurrent("lstm", WIDTH, 3, bidirectional=True)}


LAYERS = _layers()
every_layer = pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS.keys())


def states(lengths: list[int]) -> Tensor:
    return torch.randn(sum(lengths), WIDTH, generator=torch.Generator().manual_seed(len(lengths)))


def close(a: Tensor, b: Tensor) -> None:
    torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)


@given(lengths=lengths_of, waste=wastes)
def test_every_token_has_one_place_and_no_group_wastes_more_than_allowed(
    lengths: list[int], waste: float
) -> None:
    layout = Layout.of(lengths, waste=waste)
    placed = []
    for group in layout.groups:
        cells = group.rows * group.longest
        tokens = np.arange(group.start, group.start + cells) if group.gather is None else group.gather.numpy()
        placed += (tokens if group.scatter is None else tokens[group.scatter.numpy()]).tolist()
        kept = cells if group.scatter is None else len(group.scatter)
        assert kept >= (1 - waste) * cells - 1e-9
        if group.mask is not None:
            assert int(group.mask.sum()) == kept
    assert sorted(placed) == list(range(sum(lengths)))
    order = np.arange(len(placed)) if layout.order is None else layout.order.numpy()
    assert np.array_equal(np.array(placed)[order], np.arange(len(placed)))


@every_layer
@given(lengths=lengths_of, waste=wastes)
@settings(max_examples=40, deadline=None)
def test_packed_equals_one_by_one(layer: nn.Module, lengths: list[int], waste: float) -> None:
    x = states(lengths)
    with torch.no_grad():
        alone = [layer(row, Layout.of([len(row)])) for row in x.split(lengths)]
        close(layer(x, Layout.of(lengths, waste=waste)), torch.cat(alone))


@given(lengths=lengths_of)
@settings(max_examples=25, deadline=None)
def test_packed_equals_padded_forward_and_backward(lengths: list[int]) -> None:
    layer = LAYERS["stack"]

    def run(waste: float) -> tuple[Tensor, ...]:
        x = states(lengths).requires_grad_()
        out = layer(x, Layout.of(lengths, waste=waste))
        return out, *torch.autograd.grad(out.cos().sum(), [x, *layer.parameters()])

    # Waste 1 allows one group of all rows, padded to the longest; waste 0 pads nothing.
    padded = Layout.of(lengths, waste=1.0)
    assert len(padded.groups) == 1
    for grouped, whole in zip(run(0.0), run(1.0), strict=True):
        torch.testing.assert_close(grouped, whole, atol=3e-5, rtol=1e-3)


@every_layer
@given(lengths=lengths_of, seed=st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_permuting_a_batch_permutes_the_output(layer: nn.Module, lengths: list[int], seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(lengths))
    rows = states(lengths).split(lengths)
    with torch.no_grad():
        straight = layer(torch.cat(rows), Layout.of(lengths)).split(lengths)
        shuffled = layer(torch.cat([rows[i] for i in order]), Layout.of([lengths[i] for i in order]))
    close(shuffled, torch.cat([straight[i] for i in order]))


@given(lengths=lengths_of, how=st.sampled_from(["first", "mean", "max"]))
def test_pooling_equals_one_by_one(lengths: list[int], how: str) -> None:
    x = states(lengths)
    alone = [pool(row, Layout.of([len(row)]), how) for row in x.split(lengths)]
    close(pool(x, Layout.of(lengths), how), torch.cat(alone))
