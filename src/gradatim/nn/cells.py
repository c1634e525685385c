"""Recurrent cells written out, step by step: the reference for `nn.recurrent`, and a way to see every state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from gradatim.nn.packed import Layout
from gradatim.nn.recurrent import Cell, Recurrent

State = tuple[Tensor, ...]


def step(cell: Cell, x: Tensor, h: Tensor, state: State) -> State:
    """The next state. `x` = W x_t + b and `h` = U h_{t-1} + d, each (rows, gates * hidden)."""
    if cell in ("rnn", "relu"):  # h_t = tanh(W x_t + U h_{t-1} + b)  (Elman 1990)
        return (torch.tanh(x + h) if cell == "rnn" else torch.relu(x + h),)
    if cell == "gru":  # Cho et al. 2014, eq. 5-8, the reset gate after the product
        (xr, xz, xn), (hr, hz, hn) = x.chunk(3, -1), h.chunk(3, -1)
        r, z = torch.sigmoid(xr + hr), torch.sigmoid(xz + hz)
        return ((1 - z) * torch.tanh(xn + r * hn) + z * state[0],)
    # Hochreiter & Schmidhuber 1997 with the forget gate of Gers et al. 2000
    i, f, g, o = (x + h).chunk(4, -1)
    c = torch.sigmoid(f) * state[1] + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def written_out(
    recurrent: Recurrent, x: Float[Tensor, "tokens width"], layout: Layout
) -> Float[Tensor, "tokens hidden"]:
    """What `recurrent(x, layout)` gives, one row and one step after the other."""
    return torch.cat([_row(recurrent, row) for row in torch.split(x, layout.sizes.tolist())])


def _row(recurrent: Recurrent, xs: Tensor) -> Tensor:
    for layer in recurrent.layers:
        ahead = torch.stack([state[0] for state in states(recurrent.cell, layer, xs)])
        if recurrent.bidirectional:
            behind = states(recurrent.cell, layer, xs.flip(0), "l0_reverse")
            ahead = torch.cat([ahead, torch.stack([state[0] for state in behind]).flip(0)], -1)
        xs = ahead
    return xs


def states(
    cell: Cell,
    layer: Any,
    xs: Float[Tensor, "steps width"],
    suffix: str = "l0",
    *,
    start: Sequence[Tensor] | None = None,
) -> list[State]:
    """The states of one layer in one direction after every step, from zeros unless there is a `start`; `xs` may be
    (steps, rows, width)."""
    w, u, b, d = (getattr(layer, f"{n}_{suffix}") for n in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
    empty = xs.new_zeros(*xs.shape[1:-1], layer.hidden_size)
    state: State = tuple(start) if start else (empty, empty) if cell == "lstm" else (empty,)
    found = []
    for x in xs:
        state = step(cell, x @ w.T + b, state[0] @ u.T + d, state)
        found.append(state)
    return found
