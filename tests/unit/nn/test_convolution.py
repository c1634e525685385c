"""Convolutions over packed rows are torch's over each row, and a gated block is its paper's formulas."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from gradatim.nn.convolution import Convolution, GatedBlock, GatedStack, Source
from gradatim.nn.packed import Layout

WIDTH, OUT, TARGETS, SOURCES = 5, 7, [3, 1, 11, 2], [2, 13, 1, 3]


def draw(lengths: list[int], width: int = WIDTH, seed: int = 0) -> torch.Tensor:
    return torch.randn(sum(lengths), width, generator=torch.Generator().manual_seed(seed))


def written_out(layer: Convolution, row: torch.Tensor) -> torch.Tensor:
    """torch's convolution over one row (tokens, width)."""
    weight = layer.linear.weight.view(-1, layer.kernel, row.shape[1]).transpose(1, 2)
    padded = F.pad(row.T, (layer.before, layer.kernel - 1 - layer.before))
    return F.conv1d(padded[None], weight, layer.linear.bias)[0].T


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("kernel", [1, 2, 3, 4, 5, 13])
@torch.no_grad()
def test_every_row_is_convolved_alone_as_torch_does(kernel: int, causal: bool) -> None:
    torch.manual_seed(0)
    layer, x = Convolution(WIDTH, OUT, kernel, causal=causal), draw(TARGETS)
    x[4, 0] = torch.inf  # would spoil whatever else reads it, even through a zero
    rows = layer(x, Layout.of(TARGETS)).split(TARGETS)
    for i, (row, wanted) in enumerate(zip(x.split(TARGETS), rows, strict=True)):
        assert wanted.isfinite().all() == (i != 2)
        torch.testing.assert_close(wanted, written_out(layer, row), equal_nan=True)
    assert layer.before == (kernel - 1 if causal else (kernel - 1) // 2)


@pytest.mark.filterwarnings("ignore:Using padding")
@pytest.mark.parametrize("kernel", [2, 3, 5])
def test_even_windows_stand_as_torch_puts_them(kernel: int) -> None:
    layer, row = Convolution(WIDTH, OUT, kernel), draw([11])
    weight = layer.linear.weight.view(OUT, kernel, WIDTH).transpose(1, 2)
    wanted = F.conv1d(row.T[None], weight, layer.linear.bias, padding="same")[0].T
    torch.testing.assert_close(layer(row, Layout.of([11])), wanted)


@pytest.mark.parametrize("kernel", [1, 2, 5])
@torch.no_grad()
def test_a_token_at_a_time_is_all_at_once(kernel: int) -> None:
    layer, x = Convolution(WIDTH, OUT, kernel, causal=True), draw([7, 7])
    past, made = torch.zeros(2, kernel - 1, WIDTH), []
    for token in x.view(2, 7, WIDTH).unbind(1):
        one, past = layer.advance(token, past)
        made.append(one)
    torch.testing.assert_close(torch.stack(made, 1).flatten(0, 1), layer(x, Layout.of([7, 7])))


@torch.no_grad()
def test_a_block_is_what_the_paper_says() -> None:
    torch.manual_seed(0)
    block, half = GatedBlock(WIDTH, 3, cross=True), math.sqrt(0.5)
    x, g, z, ze = (
        draw(lengths, seed=i) for i, lengths in enumerate((TARGETS, TARGETS, SOURCES, SOURCES), start=1)
    )
    here, there = Layout.of(TARGETS), Layout.of(SOURCES)
    sources = [Source.of(z, ze, group) for group in there.regroup(here.groups)]
    weights: list[torch.Tensor] = []
    found = block(x, here, g, sources=sources).split(TARGETS)
    torch.testing.assert_close(torch.cat(found), block(x, here, g, sources=sources, weights=weights))
    assert len(weights) == len(here.groups) > 1
    for i, row in enumerate(x.split(TARGETS)):
        a, b = written_out(block.convolution, row).chunk(2, dim=-1)
        h = a * torch.sigmoid(b)
        d = (h @ block.query.weight.T + block.query.bias + g.split(TARGETS)[i]) * half
        c = torch.softmax(d @ z.split(SOURCES)[i].T, dim=-1) @ ze.split(SOURCES)[i]
        torch.testing.assert_close(found[i], (row + (h + c) * half) * half)


@torch.no_grad()
def test_an_encoders_block_sees_both_sides() -> None:
    block, x = GatedBlock(WIDTH, 3), draw([7])
    a, b = written_out(block.convolution, x).chunk(2, dim=-1)
    torch.testing.assert_close(block(x, Layout.of([7]), x), (x + a * torch.sigmoid(b)) * math.sqrt(0.5))
    assert block.query is None


@torch.no_grad()
def test_fresh_weights_keep_states_at_their_size() -> None:
    torch.manual_seed(0)
    stack = GatedStack(64, 3, 8, dropout=0.3).train()
    said = stack(0.2 * draw([211], 64), Layout.of([211]))
    assert 0.15 < float(said.std()) < 0.25
    assert all((part.bias == 0).all() for part in stack.modules() if isinstance(part, torch.nn.Linear))
