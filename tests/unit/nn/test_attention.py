"""Every path of attention against the formula written out one query at a time."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from gradatim.nn.attention import attend, mix

BATCH, HEADS, QUERIES, KEYS, HEAD_WIDTH = 2, 3, 5, 7, 11


def written_out(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, bias: Tensor | None, scale: float | None
) -> tuple[Tensor, Tensor]:
    """softmax(q k^T * scale + bias) v, one query at a time over only the keys it may attend to."""
    scale = 1 / math.sqrt(HEAD_WIDTH) if scale is None else scale
    full = (BATCH, HEADS, QUERIES, KEYS)
    allowed = torch.ones(full, dtype=torch.bool) if mask is None else mask.expand(full)
    added = torch.zeros(full) if bias is None else bias.expand(full)
    values, weights = [], []
    for b in range(BATCH):
        for h in range(HEADS):
            for i in range(QUERIES):
                keys = [j for j in range(KEYS) if allowed[b, h, i, j]]
                row = torch.zeros(KEYS)
                if keys:
                    scores = torch.stack([q[b, h, i] @ k[b, h, j] * scale + added[b, h, i, j] for j in keys])
                    powers = (scores - scores.max()).exp()
                    row = row.index_put((torch.tensor(keys),), powers / powers.sum())
                weights.append(row)
                values.append(row @ v[b, h])
    return (
        torch.stack(values).view(BATCH, HEADS, QUERIES, HEAD_WIDTH),
        torch.stack(weights).view(full),
    )


def parts(seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    draw = torch.Generator().manual_seed(seed)
    shapes = [(BATCH, HEADS, n, HEAD_WIDTH) for n in (QUERIES, KEYS, KEYS)]
    q, k, v = (torch.randn(shape, generator=draw) for shape in shapes)
    return q, k, v


def some_mask(*shape: int) -> Tensor:
    mask = torch.rand(shape, generator=torch.Generator().manual_seed(5)) > 0.4
    mask[..., 0] = True  # every query keeps a key
    return mask


def some_bias(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(6)) * 2


MASKS = {"no mask": None, "mask": some_mask(BATCH, 1, 1, KEYS), "full mask": some_mask(2, 3, QUERIES, KEYS)}
BIASES = {"no bias": None, "bias": some_bias(1, HEADS, QUERIES, KEYS)}


@pytest.mark.parametrize("scale", [None, 1.0], ids=["usual scale", "scale 1"])
@pytest.mark.parametrize("bias", BIASES.values(), ids=BIASES.keys())
@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS.keys())
def test_every_path_equals_the_written_out_form(
    mask: Tensor | None, bias: Tensor | None, scale: float | None
) -> None:
    q, k, v = parts()
    values, weights = written_out(q, k, v, mask, bias, scale)
    fused, none = attend(q, k, v, mask=mask, bias=bias, scale=scale)
    written, seen = attend(q, k, v, mask=mask, bias=bias, scale=scale, need_weights=True)
    assert none is None
    torch.testing.assert_close(fused, values, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(written, values, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(seen, weights, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("needs", ["qkvb", "kv"], ids=["training path", "fused path"])
@pytest.mark.parametrize("bias", BIASES.values(), ids=BIASES.keys())
@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS.keys())
def test_gradients_equal_those_of_the_written_out_form(
    mask: Tensor | None, bias: Tensor | None, needs: str
) -> None:
    def gradients(fast: bool) -> list[Tensor]:
        named = dict(zip("qkv", parts(1), strict=True))
        if bias is not None:
            named["b"] = bias.clone()
        wanted = [named[name].requires_grad_() for name in needs if name in named]
        q, k, v, b = (named.get(name) for name in "qkvb")
        out = attend(q, k, v, mask=mask, bias=b)[0] if fast else written_out(q, k, v, mask, b, None)[0]
        return list(torch.autograd.grad((out * out.detach().cos()).sum(), wanted))

    for fast, slow in zip(gradients(True), gradients(False), strict=True):
        torch.testing.assert_close(fast, slow, atol=1e-5, rtol=1e-4)


def test_a_mask_says_where_attention_may_go() -> None:
    mask = torch.tensor([True, False, True])
    weights = mix(torch.zeros(2, 5, 3), mask.view(1, 1, 3))
    torch.testing.assert_close(weights, torch.tensor([0.5, 0.0, 0.5]).expand(2, 5, 3))


def test_a_query_that_may_attend_to_nothing_gets_zeros_on_every_path() -> None:
    q, k, v = parts(2)
    mask = torch.ones(1, 1, QUERIES, KEYS, dtype=torch.bool)
    mask[..., 3, :] = False
    weights = mix(torch.randn(QUERIES, KEYS), mask[0, 0])
    assert weights[3].eq(0).all()
    torch.testing.assert_close(weights[:3].sum(-1), torch.ones(3))
    for bias in BIASES.values():
        fused, _ = attend(q, k, v, mask=mask, bias=bias)
        written, _ = attend(q, k, v, mask=mask, bias=bias, need_weights=True)
        assert written[:, :, 3].eq(0).all()
        torch.testing.assert_close(fused, written, atol=1e-6, rtol=1e-5)


def test_a_fully_masked_query_has_finite_gradients() -> None:
    scores = torch.randn(2, 3, requires_grad=True)
    mask = torch.tensor([[True, True, False], [False, False, False]])
    mix(scores, mask).square().sum().backward()
    assert scores.grad is not None
    assert scores.grad.isfinite().all()


def test_attention_dropout_keeps_the_expectation() -> None:
    torch.manual_seed(0)
    weights = mix(torch.zeros(1009, 101), dropout=0.3)
    assert weights.eq(0).float().mean().item() == pytest.approx(0.3, abs=0.01)
    assert weights.sum(-1).mean().item() == pytest.approx(1.0, abs=0.01)
