"""Blocks against the naive formula, row by row, and what their configuration refuses."""

from __future__ import annotations

import math
from typing import Any, Literal

import pytest
import torch
from torch import Tensor

from gradatim.errors import ConfigError
from gradatim.nn.axes import ACTIVATIONS, BlockConfig
from gradatim.nn.block import Block
from gradatim.nn.multihead import Attention, Memory
from gradatim.nn.packed import Layout
from gradatim.nn.stack import Stack, Trace

HEADS, HEAD_WIDTH, FFN_WIDTH = 3, 7, 17
WIDTH = HEADS * HEAD_WIDTH
LENGTHS = [5, 2, 11, 5, 1]


def config(**changes: Any) -> BlockConfig:
    sizes = {"width": WIDTH, "num_heads": HEADS, "ffn_width": FFN_WIDTH, "norm_eps": 1e-6}
    return BlockConfig(**{**sizes, **changes})


def norm(x: Tensor, layer: torch.nn.LayerNorm) -> Tensor:
    centred = x - x.mean(-1, keepdim=True)
    return centred / (centred.square().mean(-1, keepdim=True) + 1e-6).sqrt() * layer.weight + layer.bias


def attention(x: Tensor, block: Block) -> Tensor:
    """Vaswani et al. 2017, section 3.2.2, head by head over one row."""
    q, k, v = (x @ block.attention.qkv.weight.T + block.attention.qkv.bias).chunk(3, -1)
    heads = []
    for h in range(HEADS):
        part = slice(h * HEAD_WIDTH, (h + 1) * HEAD_WIDTH)
        weights = (q[:, part] @ k[:, part].T / math.sqrt(HEAD_WIDTH)).softmax(-1)
        heads.append(weights @ v[:, part])
    return torch.cat(heads, -1) @ block.attention.out.weight.T + block.attention.out.bias


def feed_forward(x: Tensor, block: Block, activation: str) -> Tensor:
    inner = x @ block.ffn.up.weight.T + block.ffn.up.bias
    gelu_tanh = 0.5 * inner * (1 + torch.tanh(math.sqrt(2 / math.pi) * (inner + 0.044715 * inner**3)))
    active = {
        "gelu": inner * 0.5 * (1 + torch.erf(inner / math.sqrt(2))),
        "gelu_tanh": gelu_tanh,
        "relu": inner.clamp(min=0),
        "silu": inner * inner.sigmoid(),
        "tanh": inner.tanh(),
    }[activation]
    return active @ block.ffn.down.weight.T + block.ffn.down.bias


def shaken(module: torch.nn.Module) -> torch.nn.Module:
    """Give norms and biases values that matter."""
    torch.manual_seed(0)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return module.eval()


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("order", ["post", "pre"])
def test_a_block_equals_the_naive_formula(order: Literal["pre", "post"], activation: str) -> None:
    block = shaken(Block(config(norm_order=order, activation=activation)))
    x = torch.randn(sum(LENGTHS), WIDTH)
    rows = []
    for row in x.split(LENGTHS):
        if order == "post":
            row = norm(row + attention(row, block), block.attention_norm)
            rows.append(norm(row + feed_forward(row, block, activation), block.ffn_norm))
        else:
            row = row + attention(norm(row, block.attention_norm), block)
            rows.append(row + feed_forward(norm(row, block.ffn_norm), block, activation))
    torch.testing.assert_close(block(x, Layout.of(LENGTHS)), torch.cat(rows), atol=2e-5, rtol=1e-4)


def test_a_trace_holds_every_state_and_weights_that_sum_to_one() -> None:
    stack = shaken(Stack(config(), num_layers=2))
    layout, trace = Layout.of(LENGTHS), Trace([], [])
    x = torch.randn(sum(LENGTHS), WIDTH)
    out = stack(x, layout, trace=trace)
    torch.testing.assert_close(out, stack(x, layout), atol=1e-5, rtol=1e-4)
    assert len(trace.hidden) == 2
    assert torch.equal(trace.hidden[-1], out)
    assert trace.weights is not None
    for groups in trace.weights:
        for weights, group in zip(groups, layout.groups, strict=True):
            assert weights.shape == (group.rows, HEADS, group.longest, group.longest)
            torch.testing.assert_close(weights.sum(-1), torch.ones(weights.shape[:-1]))
            if group.mask is not None:
                assert (weights * ~group.mask).eq(0).all()


@pytest.mark.parametrize("bias", [True, False])
def test_attention_to_a_row_is_attention_to_it_as_a_memory(bias: bool) -> None:
    within = shaken(Attention(config(bias=bias)))
    across = Attention(config(bias=bias), cross=True).eval()
    across.load_state_dict(within.crossed())
    layout = Layout.of(LENGTHS)
    x = torch.randn(sum(LENGTHS), WIDTH)
    torch.testing.assert_close(across(x, layout, memory=Memory.of(x, layout, layout)), within(x, layout))


def test_dropout_acts_in_training_only() -> None:
    x, layout = torch.randn(sum(LENGTHS), WIDTH), Layout.of(LENGTHS)
    for which in ("dropout", "attention_dropout"):
        block = Block(config(**{"dropout": 0.0, "attention_dropout": 0.0, which: 0.5}))
        assert not torch.equal(block(x, layout), block(x, layout))
        block.eval()
        assert torch.equal(block(x, layout), block(x, layout))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("num_heads", 2), ("num_heads", 0), ("width", 0), ("ffn_width", -1), ("activation", "gelo"),
        ("dropout", 1.0), ("attention_dropout", -0.1),
    ],
)  # fmt: skip
def test_a_bad_configuration_is_refused_by_its_field(field: str, value: object) -> None:
    with pytest.raises(ConfigError, match="unknown activation" if field == "activation" else field):
        config(**{field: value})


def test_an_unknown_norm_order_is_refused() -> None:
    made = config()
    object.__setattr__(made, "norm_order", "middle")  # past the type checker that tests run under
    with pytest.raises(ConfigError, match="norm_order"):
        made.__post_init__()


def as_they_lie(
    q: Tensor, k: Tensor, v: Tensor, bounds: Tensor, others: Tensor, longest: int, other: int, *,
    scale: float | None, window_size: tuple[int, int],
) -> Tensor:  # fmt: skip
    """What torch's kernel for packed rows says it does, row by row; a reach of -1 has no end."""
    assert longest == bounds.diff().max()
    assert other == others.diff().max()
    assert bounds.dtype == others.dtype == torch.int32
    mixed = []
    before, after = (math.inf if reach < 0 else reach for reach in window_size)
    for (start, end), (first, last) in zip(bounds.unfold(0, 2, 1), others.unfold(0, 2, 1), strict=True):
        ahead = torch.arange(int(last - first)) - torch.arange(int(end - start))[:, None]
        scores = torch.einsum("qhd,khd->hqk", q[start:end], k[first:last]) * (scale or q.shape[-1] ** -0.5)
        weights = scores.masked_fill((ahead < -before) | (ahead > after), -math.inf).softmax(-1)
        mixed.append(torch.einsum("hqk,khd->qhd", weights, v[first:last]))
    return torch.cat(mixed)


@pytest.mark.parametrize(
    "changes",
    [{}, {"causal": True}, {"window": 2}, {"causal": True, "window": 3}, {"rotary": True, "scale": 0.2}],
)
def test_rows_are_attended_to_as_they_lie_where_a_kernel_can(
    changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Emulated: the kernel itself is for GPUs."""
    torch.manual_seed(0)
    even = {"width": 24, "num_heads": 3, "attention_dropout": 0.0}
    layout, source = Layout.of(LENGTHS), Layout.of([3, 9, 1, 4, 6])
    x, states = torch.randn(layout.num_tokens, 24), torch.randn(source.num_tokens, 24)
    within, across = Attention(config(**even, **changes)), Attention(config(**even, **changes), cross=True)
    memory = Memory.of(states, source, layout)
    wanted = within(x, layout), across(x, layout, memory=memory)
    monkeypatch.setattr("gradatim.nn.multihead.packs", lambda heads: True)
    monkeypatch.setattr("torch.nn.attention.varlen.varlen_attn", as_they_lie)
    monkeypatch.setattr("gradatim.nn.multihead.attend", None)  # no padded group is made
    for found, expected in zip((within(x, layout), across(x, layout, memory=memory)), wanted, strict=True):
        torch.testing.assert_close(found, expected)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="the kernel for packed rows is for GPUs")
@pytest.mark.parametrize("causal", [False, True])
def test_the_kernel_for_packed_rows_says_what_attention_says(causal: bool) -> None:
    torch.manual_seed(0)
    layout = Layout.of(LENGTHS)
    layer = Attention(config(width=48, num_heads=3, causal=causal, attention_dropout=0.0))
    x = torch.randn(layout.num_tokens, 48)
    wanted = layer(x, layout)
    layer.to("cuda")
    with torch.autocast("cuda", torch.bfloat16):
        found = layer(x.cuda(), layout.to(torch.device("cuda")))
    torch.testing.assert_close(found.float().cpu(), wanted, atol=2e-2, rtol=2e-2)
