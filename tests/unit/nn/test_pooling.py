"""Pooling and embedding against one row at a time."""

from __future__ import annotations

import pytest
import torch

from gradatim.nn.embedding import Embedding, EmbeddingConfig
from gradatim.nn.initial import init_normal
from gradatim.nn.packed import Layout
from gradatim.nn.pooling import Pooling, pool

LENGTHS = [5, 1, 7, 5, 2]
NAIVE = {"first": lambda row: row[0], "mean": lambda row: row.mean(0), "max": lambda row: row.max(0).values}


@pytest.mark.parametrize("how", ["first", "mean", "max"])
def test_pooling_equals_one_row_at_a_time_forward_and_backward(how: Pooling) -> None:
    torch.manual_seed(0)
    x = torch.randn(sum(LENGTHS), 3, requires_grad=True)
    grad_out = torch.randn(len(LENGTHS), 3)
    fast = pool(x, Layout.of(LENGTHS), how)
    slow = torch.stack([NAIVE[how](row) for row in x.split(LENGTHS)])
    torch.testing.assert_close(fast, slow)
    fast_grad, slow_grad = (torch.autograd.grad(out, x, grad_out)[0] for out in (fast, slow))
    torch.testing.assert_close(fast_grad, slow_grad)


@pytest.mark.parametrize("how", ["mean", "max"])
def test_bfloat16_states_are_pooled_in_float32(how: Pooling) -> None:
    x = torch.randn(sum(LENGTHS), 3).bfloat16()
    pooled = pool(x, Layout.of(LENGTHS), how)
    assert pooled.dtype == torch.float32
    torch.testing.assert_close(pooled, pool(x.float(), Layout.of(LENGTHS), how))


def embedding() -> Embedding:
    torch.manual_seed(0)
    config = EmbeddingConfig(vocab_size=29, width=13, max_length=7, num_segments=2, norm=True, dropout=0.0)
    return Embedding(config)


def test_an_embedding_is_the_normalised_sum_of_its_three_vectors() -> None:
    layer, layout = embedding(), Layout.of([3, 2])
    ids, segments = torch.tensor([4, 9, 28, 0, 4]), torch.tensor([0, 1, 1, 0, 1])
    positions = torch.tensor([0, 1, 2, 0, 1])
    total = (
        layer.words.weight[ids] + layer.positions.weight[positions] + layer.segments.weight[segments]
    ).double()
    centred = total - total.mean(-1, keepdim=True)
    wanted = centred / (centred.square().mean(-1, keepdim=True) + 1e-12).sqrt()
    torch.testing.assert_close(layer(ids, layout, segments), wanted.float(), atol=1e-5, rtol=1e-5)


def test_no_segments_means_the_first_segment() -> None:
    layer, layout = embedding(), Layout.of([3, 2])
    ids = torch.tensor([4, 9, 28, 0, 4])
    torch.testing.assert_close(layer(ids, layout), layer(ids, layout, torch.zeros(5, dtype=torch.int64)))


def test_a_row_longer_than_the_position_table_is_refused() -> None:
    with pytest.raises(IndexError):
        embedding()(torch.zeros(8, dtype=torch.int64), Layout.of([8]))


def test_initialisation_is_berts() -> None:
    layer = torch.nn.Sequential(
        torch.nn.Linear(101, 103), torch.nn.LayerNorm(103), torch.nn.Embedding(97, 101)
    )
    torch.manual_seed(0)
    init_normal(layer)
    assert layer[0].weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert layer[2].weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert layer[0].bias.eq(0).all()
    assert layer[1].weight.eq(1).all()
