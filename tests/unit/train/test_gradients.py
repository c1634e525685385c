"""Gradients through time against autograd through the layer itself, and the task that needs them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gradatim.nn.recurrent import Cell
from gradatim.train.gradients import CopyMemory, copy_memory, gradient_norms


@pytest.mark.parametrize("cell", ["rnn", "relu", "gru", "lstm"])
def test_gradients_vanish_or_explode_and_clipping_bounds_them(cell: Cell) -> None:
    norms = gradient_norms(cell, 40, width=16)
    assert norms.shape == (40,)
    assert norms[-1] < 1e-2 * norms[0]  # fresh weights of gain 1 forget
    clipped = gradient_norms(cell, 40, width=16, clip=0.5)
    assert clipped.max() <= 0.5 + 1e-5
    if cell == "relu":
        wild = gradient_norms(cell, 40, width=16, gain=2.0)
        assert wild[-1] > 100 * wild[0]
        assert gradient_norms(cell, 40, width=16, gain=2.0, clip=0.5).max() <= 0.5 + 1e-5


def test_a_gradient_is_the_product_of_jacobians() -> None:
    """dL/dh(t-1) = U^T (1 - h_t^2) dL/dh(t) (Pascanu et al. 2013, eq. 5)."""
    norms = gradient_norms("rnn", 3, width=1, seed=3)
    torch.manual_seed(3)
    layer = torch.nn.RNN(1, 1)
    torch.nn.init.orthogonal_(layer.weight_hh_l0)
    xs = torch.randn(3, 1, 1)
    states, _ = layer(xs)
    last, before = states[2].item(), states[1].item()
    weight = layer.weight_hh_l0.item()
    assert norms[0] == pytest.approx(abs(2 * last), rel=1e-5)
    assert norms[1] == pytest.approx(abs(2 * last * (1 - last**2) * weight), rel=1e-5)
    assert norms[2] == pytest.approx(abs(2 * last * (1 - last**2) * (1 - before**2) * weight**2), rel=1e-5)


def test_the_copy_task_asks_for_what_it_showed() -> None:
    task = CopyMemory(100, length=3, delay=5)
    batch = task.collate(np.array([4, 9]))
    ids = batch.inputs.ids.view(2, 11)
    assert (ids[:, 3:8] == 8).all()
    assert (ids[:, 8:] == 9).all()
    assert batch.targets["recalled"].tolist() == ids[:, :3].flatten().tolist()
    assert batch.at is not None
    assert batch.at.tolist() == [8, 9, 10, 19, 20, 21]
    again = task.collate(np.array([9]), seed=5)
    assert again.inputs.ids.tolist() == ids[1].tolist()


@pytest.mark.slow
def test_an_lstm_recalls_what_an_rnn_forgets() -> None:
    lstm, rnn = (copy_memory(cell, delay=20, steps=600).accuracy[-1] for cell in ("lstm", "rnn"))
    assert lstm > 0.9
    assert rnn < 0.3
