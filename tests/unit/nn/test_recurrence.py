"""The way there and back through time against autograd on the cells written out."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from gradatim.nn import recurrence as module
from gradatim.nn.cells import states
from gradatim.nn.packed import Layout
from gradatim.nn.recurrence import recurrence
from gradatim.nn.recurrent import Cell, Recurrent

WIDTH, HIDDEN = 3, 5
COUNTS = [4, 4, 3, 3, 3, 2, 2, 2, 1, 1, 1]  # four rows, of 11, 8, 5 and 2 steps
LENGTHS = [11, 8, 5, 2]
cells = pytest.mark.parametrize("cell", ["rnn", "relu", "gru", "lstm"])


def made(cell: Cell) -> tuple[Recurrent, list[Tensor]]:
    """A layer, and what it reads: tokens in the order of time, and the state to begin in."""
    torch.manual_seed(0)
    layer = Recurrent(cell, WIDTH, HIDDEN)
    parts = 2 if cell == "lstm" else 1
    start = [torch.randn(len(LENGTHS), HIDDEN).mul(0.5) for _ in range(parts)]
    return layer, [torch.randn(sum(COUNTS), WIDTH), *start]


def learned(layer: Recurrent, read: list[Tensor], *, written: bool) -> list[Tensor]:
    """States, ends, and the gradients of a function of all of them."""
    x, *start = (part.clone().requires_grad_() for part in read)
    if written:
        found = by_hand(layer, x, start)
    else:
        found = list(recurrence(layer.cell, COUNTS, x, layer._weights(layer.layers[0], "l0"), tuple(start)))
    loss = sum((part.float() * (1 + i)).square().sum() for i, part in enumerate(found))
    assert isinstance(loss, Tensor)
    return [*found, *torch.autograd.grad(loss, [x, *start, *layer.parameters()])]


def by_hand(layer: Recurrent, x: Tensor, start: list[Tensor]) -> list[Tensor]:
    starts = [sum(COUNTS[:step]) for step in range(len(COUNTS))]
    every: dict[int, Tensor] = {}
    ends = []
    for row, length in enumerate(LENGTHS):
        places = [starts[step] + row for step in range(length)]
        gone = states(layer.cell, layer.layers[0], x[places], start=[part[row] for part in start])
        every |= {place: state[0] for place, state in zip(places, gone, strict=True)}
        ends.append(gone[-1])
    return [
        torch.stack([every[place] for place in range(len(x))]),
        *(torch.stack(parts) for parts in zip(*ends, strict=True)),
    ]


@cells
@pytest.mark.parametrize("laid_out", [True, False], ids=["weights laid out", "as they are"])
def test_states_ends_and_gradients_are_those_of_the_cells(
    cell: Cell, laid_out: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not laid_out:
        monkeypatch.setattr(module, "_packs", lambda _dtype: False)
    layer, read = made(cell)
    here, there = (learned(layer, read, written=written) for written in (False, True))
    for mine, theirs in zip(here, there, strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=1e-4)


@cells
def test_in_bfloat16_it_is_near(cell: Cell) -> None:
    layer, read = made(cell)
    exact = learned(layer, read, written=True)
    with torch.autocast("cpu", torch.bfloat16):
        rough = learned(layer, read, written=False)
    assert rough[0].dtype == torch.bfloat16
    for mine, theirs in zip(rough, exact, strict=True):
        assert (mine.float() - theirs).norm() <= 0.03 * theirs.norm() + 1e-3


def test_long_products_are_added_up_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PIECE", 4)
    d, x = torch.randn(11, 3), torch.randn(11, 2)
    torch.testing.assert_close(module.outer(d, x), d.t() @ x)


@cells
def test_without_gradients_it_says_the_same(cell: Cell) -> None:
    layer, (x, *start) = made(cell)
    asked = (cell, COUNTS, x, layer._weights(layer.layers[0], "l0"), tuple(start))
    with torch.inference_mode():
        found = recurrence(*asked)
    torch.testing.assert_close(found, recurrence(*asked), atol=0, rtol=0)


@cells
@pytest.mark.parametrize("lengths", [[9, 9, 9], [9, 8, 9]], ids=["one", "about one"])
def test_rows_of_about_one_length_are_read_as_any_others(cell: Cell, lengths: list[int]) -> None:
    torch.manual_seed(0)
    layer = Recurrent(cell, WIDTH, HIDDEN, num_layers=2, bidirectional=True)
    few, many = torch.randn(sum(lengths), WIDTH), torch.randn(4, WIDTH)

    def gone(x: Tensor, lengths: list[int]) -> list[Tensor]:
        start = x.clone().requires_grad_()
        out = layer(start, Layout.of(lengths))[: len(few)]
        return [out, *torch.autograd.grad(out.square().sum(), [start, *layer.parameters()])]

    alike, unlike = gone(few, lengths), gone(torch.cat([few, many]), [*lengths, 1, 1, 1, 1])
    torch.testing.assert_close(unlike.pop(1)[: len(few)], alike.pop(1), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(unlike, alike, atol=1e-5, rtol=1e-4)
