"""Attention that makes its weights twice says what the written-out form says, forward and backward."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from gradatim.nn import recomputed as module
from gradatim.nn.attention import attend, mix
from gradatim.nn.dropout import Mask

BATCH, HEADS, QUERIES, KEYS, HEAD_WIDTH = 3, 5, 7, 32, 11  # 32 keys: bfloat16 has its own softmax for them


def parts(keys: int = KEYS, dtype: torch.dtype = torch.float32) -> list[Tensor]:
    draw = torch.Generator().manual_seed(keys)
    shapes = [(BATCH, HEADS, n, HEAD_WIDTH) for n in (QUERIES, keys, keys)]
    return [torch.randn(shape, generator=draw).to(dtype).requires_grad_() for shape in shapes]


def results(out: Tensor, inputs: list[Tensor]) -> list[Tensor]:
    pull = torch.randn(out.shape, generator=torch.Generator().manual_seed(1))
    return [out, *torch.autograd.grad((out.float() * pull).sum(), inputs)]


@pytest.mark.parametrize("cells", [1, QUERIES * KEYS * 2, HEADS * QUERIES * KEYS * 2, 2**21])
@pytest.mark.parametrize("keys", [KEYS, 13])
def test_however_the_weights_are_divided(cells: int, keys: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CELLS", cells)
    mask = torch.rand(BATCH, 1, 1, keys, generator=torch.Generator().manual_seed(2)) > 0.4
    mask[1] = False  # a row that may attend to nothing
    bias = torch.randn(1, HEADS, QUERIES, keys, requires_grad=True)
    inputs = [*parts(keys), bias]
    fast = results(attend(*inputs[:3], mask=mask, bias=bias)[0], inputs)
    slow = results(attend(*inputs[:3], mask=mask, bias=bias, need_weights=True)[0], inputs)
    for ours, written in zip(fast, slow, strict=True):
        torch.testing.assert_close(ours, written, atol=1e-5, rtol=1e-4)
    assert fast[0][1].eq(0).all()


@pytest.mark.parametrize("cells", [QUERIES * KEYS * 2, 2**21])
def test_dropout_is_the_same_on_the_way_back(cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The masks are drawn again by hand, and applied to the written-out weights."""
    monkeypatch.setattr(module, "CELLS", cells)
    q, k, v = inputs = parts()
    torch.manual_seed(5)
    fast = results(attend(q, k, v, dropout=0.4)[0], inputs)
    torch.manual_seed(5)
    divided, runs = module._plan(BATCH, HEADS, QUERIES, KEYS)
    mask = Mask.draw(runs, 0.4)
    kept = torch.empty(BATCH, HEADS, QUERIES, KEYS)
    for part in divided:
        share = kept[part.rows, part.heads]
        share.copy_(mask.like(share, part.first_run))
    weights = mix(q @ k.transpose(2, 3) / math.sqrt(HEAD_WIDTH))
    for ours, written in zip(fast, results((weights * kept) @ v, inputs), strict=True):
        torch.testing.assert_close(ours, written, atol=1e-5, rtol=1e-4)
    assert kept.eq(0).float().mean().item() == pytest.approx(0.4, abs=0.03)


@pytest.mark.parametrize("keys", [KEYS, 13])
def test_bfloat16_stays_near_float32(keys: int) -> None:
    exact = parts(keys)
    rounded = [x.detach().bfloat16().requires_grad_() for x in exact]
    fast = results(attend(*rounded)[0], rounded)
    assert {x.dtype for x in fast} == {torch.bfloat16}
    for ours, true in zip(fast, results(attend(*exact)[0], exact), strict=True):
        torch.testing.assert_close(ours.float(), true, atol=0.05, rtol=0.05)
