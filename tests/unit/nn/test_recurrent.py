"""The recurrent layer against its cells written out, and against torch's own packing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

from gradatim.nn.packed import Layout
from gradatim.nn.recurrent import Cell, Recurrent, time_order

WIDTH, HIDDEN = 3, 5
LENGTHS = [2, 7, 1, 7, 5]
State = tuple[Tensor, ...]


def elman(x: Tensor, h: Tensor) -> Tensor:
    """Elman 1990: h' = tanh(W x + U h), biases included in the summands."""
    return torch.tanh(x + h)


def gru(x: Tensor, h: Tensor, state: Tensor) -> Tensor:
    """Cho et al. 2014, eq. 5-8, with the reset gate after the product as in cuDNN."""
    xr, xz, xn = x.chunk(3)
    hr, hz, hn = h.chunk(3)
    r, z = torch.sigmoid(xr + hr), torch.sigmoid(xz + hz)
    return (1 - z) * torch.tanh(xn + r * hn) + z * state


def lstm(x: Tensor, h: Tensor, c: Tensor) -> State:
    """Hochreiter & Schmidhuber 1997 with the forget gate of Gers et al. 2000."""
    i, f, g, o = (x + h).chunk(4)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def read(cell: Cell, fused: torch.nn.RNNBase, suffix: str, xs: Tensor) -> Tensor:
    """One layer in one direction over one row, step by step from a zero state."""
    w, u, b, d = (getattr(fused, f"{n}_{suffix}") for n in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
    h = c = torch.zeros(HIDDEN)
    out = []
    for x in xs:
        into, back = w @ x + b, u @ h + d
        if cell == "rnn":
            h = elman(into, back)
        elif cell == "gru":
            h = gru(into, back, h)
        else:
            h, c = lstm(into, back, c)
        out.append(h)
    return torch.stack(out)


def written_out(cell: Cell, layer: Recurrent, xs: Tensor) -> Tensor:
    for depth in range(layer.fused.num_layers):
        ahead = read(cell, layer.fused, f"l{depth}", xs)
        if layer.fused.bidirectional:
            behind = read(cell, layer.fused, f"l{depth}_reverse", xs.flip(0)).flip(0)
            ahead = torch.cat([ahead, behind], -1)
        xs = ahead
    return xs


def build(cell: Cell, bidirectional: bool, num_layers: int = 2) -> tuple[Recurrent, Tensor]:
    torch.manual_seed(0)
    layer = Recurrent(cell, WIDTH, HIDDEN, num_layers=num_layers, bidirectional=bidirectional)
    return layer, torch.randn(sum(LENGTHS), WIDTH)


both = pytest.mark.parametrize("bidirectional", [False, True], ids=["one way", "both ways"])
cells = pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])


@cells
@both
def test_equals_the_written_out_cells(cell: Cell, bidirectional: bool) -> None:
    layer, x = build(cell, bidirectional)
    slow = torch.cat([written_out(cell, layer, row) for row in x.split(LENGTHS)])
    torch.testing.assert_close(layer(x, Layout.of(LENGTHS)), slow, atol=1e-6, rtol=1e-5)


@cells
@both
def test_equals_torchs_own_packing_forward_and_backward(cell: Cell, bidirectional: bool) -> None:
    layer, x = build(cell, bidirectional)

    def by_torch(x: Tensor) -> Tensor:
        padded = pad_sequence(list(x.split(LENGTHS)), batch_first=True).transpose(0, 1)
        packed = pack_padded_sequence(padded, torch.tensor(LENGTHS), enforce_sorted=False)
        out, _ = pad_packed_sequence(layer.fused(packed)[0])
        return torch.cat([out[:n, i] for i, n in enumerate(LENGTHS)])

    def outputs_and_gradients(run: Callable[[Tensor], Tensor]) -> list[Tensor]:
        start = x.clone().requires_grad_()
        out = run(start)
        return [out, *torch.autograd.grad(out.square().sum(), [start, *layer.parameters()])]

    ours = outputs_and_gradients(lambda start: layer(start, Layout.of(LENGTHS)))
    for mine, theirs in zip(ours, outputs_and_gradients(by_torch), strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=1e-4)


def test_time_order_lists_tokens_step_by_step_longest_row_first() -> None:
    by_time, sizes = time_order(Layout.of([2, 3, 1]))
    # Flat tokens: row 0 is 0-1, row 1 is 2-4, row 2 is 5.
    assert by_time.tolist() == [2, 0, 5, 3, 1, 4]
    assert sizes.tolist() == [3, 2, 1]


def test_dropout_between_layers_only() -> None:
    torch.manual_seed(0)
    single = Recurrent("gru", WIDTH, HIDDEN, num_layers=1, dropout=0.5).train()
    double = Recurrent("gru", WIDTH, HIDDEN, num_layers=2, dropout=0.5).train()
    x, layout = torch.randn(sum(LENGTHS), WIDTH), Layout.of(LENGTHS)
    torch.testing.assert_close(single(x, layout), single(x, layout))
    assert not torch.equal(double(x, layout), double(x, layout))
