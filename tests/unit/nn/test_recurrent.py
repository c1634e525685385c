"""The recurrent layer against its cells written out, and against torch's own packing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

from gradatim.nn.cells import written_out
from gradatim.nn.packed import Layout
from gradatim.nn.recurrent import Cell, Recurrent, time_order

WIDTH, HIDDEN = 3, 5
LENGTHS = [2, 7, 1, 7, 5]


def build(cell: Cell, bidirectional: bool, num_layers: int = 2) -> tuple[Recurrent, Tensor]:
    torch.manual_seed(0)
    layer = Recurrent(cell, WIDTH, HIDDEN, num_layers=num_layers, bidirectional=bidirectional)
    return layer, torch.randn(sum(LENGTHS), WIDTH)


both = pytest.mark.parametrize("bidirectional", [False, True], ids=["one way", "both ways"])
cells = pytest.mark.parametrize("cell", ["rnn", "relu", "gru", "lstm"])


@cells
@both
def test_equals_the_written_out_cells(cell: Cell, bidirectional: bool) -> None:
    layer, x = build(cell, bidirectional)
    slow = written_out(layer, x, Layout.of(LENGTHS))
    torch.testing.assert_close(layer(x, Layout.of(LENGTHS)), slow, atol=1e-6, rtol=1e-5)


@cells
@both
def test_equals_torchs_own_packing_forward_and_backward(cell: Cell, bidirectional: bool) -> None:
    layer, x = build(cell, bidirectional)

    def by_torch(x: Tensor) -> Tensor:
        padded = pad_sequence(list(x.split(LENGTHS)), batch_first=True).transpose(0, 1)
        packed = pack_padded_sequence(padded, torch.tensor(LENGTHS), enforce_sorted=False)
        for one in layer.layers:
            packed, _ = one(packed)
        out, _ = pad_packed_sequence(packed)
        return torch.cat([out[:n, i] for i, n in enumerate(LENGTHS)])

    def outputs_and_gradients(run: Callable[[Tensor], Tensor]) -> list[Tensor]:
        start = x.clone().requires_grad_()
        out = run(start)
        return [out, *torch.autograd.grad(out.square().sum(), [start, *layer.parameters()])]

    ours = outputs_and_gradients(lambda start: layer(start, Layout.of(LENGTHS)))
    for mine, theirs in zip(ours, outputs_and_gradients(by_torch), strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=1e-4)


@cells
@both
def test_the_kernel_of_gpus_says_the_same(
    cell: Cell, bidirectional: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer, x = build(cell, bidirectional)
    here, there = layer.begin(len(LENGTHS)), layer.begin(len(LENGTHS))
    ours = layer(x, Layout.of(LENGTHS), here)
    monkeypatch.setattr(Recurrent, "_run", Recurrent._packed)
    torch.testing.assert_close(layer(x, Layout.of(LENGTHS), there), ours, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(there.tensors, here.tensors, atol=1e-6, rtol=1e-5)


def test_time_order_lists_tokens_step_by_step_longest_row_first() -> None:
    by_time, sizes, longest_first = time_order(Layout.of([2, 3, 1]))
    # Flat tokens: row 0 is 0-1, row 1 is 2-4, row 2 is 5.
    assert by_time.tolist() == [2, 0, 5, 3, 1, 4]
    assert sizes.tolist() == [3, 2, 1]
    assert longest_first.tolist() == [1, 0, 2]


def test_dropout_between_layers_only() -> None:
    torch.manual_seed(0)
    single = Recurrent("gru", WIDTH, HIDDEN, num_layers=1, dropout=0.5).train()
    double = Recurrent("gru", WIDTH, HIDDEN, num_layers=2, dropout=0.5).train()
    x, layout = torch.randn(sum(LENGTHS), WIDTH), Layout.of(LENGTHS)
    torch.testing.assert_close(single(x, layout), single(x, layout))
    assert not torch.equal(double(x, layout), double(x, layout))


@cells
def test_a_state_carries_rows_on(cell: Cell) -> None:
    layer, _ = build(cell, False)
    x, parts = torch.randn(sum(LENGTHS) + 3 * len(LENGTHS), WIDTH), []
    whole = Layout.of([n + 3 for n in LENGTHS])
    state = layer.begin(len(LENGTHS))
    for layout, begin in ((Layout.of([3] * len(LENGTHS)), 0), (Layout.of(LENGTHS), 3)):
        at = [
            int(offset) + begin + i
            for offset, n in zip(whole.offsets, layout.sizes, strict=True)
            for i in range(n)
        ]
        parts.append((at, layer(x[at], layout, state)))
    out = torch.empty(len(x), HIDDEN)
    for at, part in parts:
        out[at] = part
    torch.testing.assert_close(out, layer(x, whole), atol=1e-6, rtol=1e-5)
    last = whole.offsets + whole.lengths - 1
    torch.testing.assert_close(state.layers[-1][0][0], out[last])


def test_a_reordered_state_is_that_of_its_rows() -> None:
    layer, x = build("lstm", False)
    state = layer.begin(len(LENGTHS))
    layer(x, Layout.of(LENGTHS), state)
    order = torch.tensor([4, 0, 0])
    token = torch.randn(len(LENGTHS), WIDTH)
    one = Layout.of([1] * len(LENGTHS))
    kept = state.reorder(order)
    expected = layer(token, one, state)[order]
    torch.testing.assert_close(layer(token[order], Layout.of([1, 1, 1]), kept), expected)


def test_the_last_layer_may_have_another_width() -> None:
    layer = Recurrent("gru", WIDTH, HIDDEN, num_layers=3, last_width=2)
    assert layer(torch.randn(sum(LENGTHS), WIDTH), Layout.of(LENGTHS)).shape == (sum(LENGTHS), 2)
    assert layer.width == 2


def test_weight_drop_leaves_the_weights_as_they_are_and_trains_them() -> None:
    torch.manual_seed(1)
    layer = Recurrent("lstm", WIDTH, HIDDEN, weight_drop=0.5).train()
    x, layout = torch.randn(sum(LENGTHS), WIDTH), Layout.of(LENGTHS)
    before = layer.layers[0].weight_hh_l0.detach().clone()
    first, second = layer(x, layout), layer(x, layout)
    assert not torch.equal(first, second)
    first.sum().backward()
    assert torch.equal(layer.layers[0].weight_hh_l0, before)
    assert (layer.layers[0].weight_hh_l0.grad == 0).float().mean() > 0.3  # those left out
    layer.eval()
    torch.testing.assert_close(layer(x, layout), written_out(layer, x, layout), atol=1e-6, rtol=1e-5)


def test_locked_dropout_has_one_mask_a_row() -> None:
    torch.manual_seed(0)
    layer = Recurrent("rnn", WIDTH, 40, num_layers=2, dropout=0.5, locked=True).train()
    rows = Layout.of(LENGTHS).rows
    dropped = layer.dropout(torch.ones(sum(LENGTHS), 40), rows) == 0
    assert 0.3 < dropped.float().mean() < 0.7
    for row in range(len(LENGTHS)):
        assert (dropped[rows == row] == dropped[rows == row][0]).all()
    assert not torch.equal(dropped[0], dropped[-1])
