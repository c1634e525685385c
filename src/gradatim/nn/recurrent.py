"""Recurrent layers over a packed batch: one class for RNN, GRU and LSTM, one or both directions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from gradatim.nn.dropout import Dropout, LockedDropout
from gradatim.nn.packed import Layout
from gradatim.nn.recurrence import Parts, recurrence

Cell = Literal["rnn", "relu", "gru", "lstm"]
CELLS: dict[Cell, Callable[..., nn.RNNBase]] = {
    "rnn": nn.RNN,
    "relu": lambda *sizes, **more: nn.RNN(*sizes, nonlinearity="relu", **more),
    "gru": nn.GRU,
    "lstm": nn.LSTM,
}
KERNELS: dict[Cell, Callable[..., Any]] = {
    "rnn": torch.rnn_tanh,
    "relu": torch.rnn_relu,
    "gru": torch.gru,
    "lstm": torch.lstm,
}
WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
WAYS = ("l0", "l0_reverse")
WASTE = 0.3  # of the cells that tokens need, what may be added for the kernel of rows of one length to pay


@dataclass(slots=True)
class RecurrentState:
    """What each layer has come to: h, and c of an LSTM, each (directions, rows, hidden)."""

    layers: list[Parts]

    @property
    def tensors(self) -> list[Tensor]:
        """All parts, one after the other."""
        return [part for layer in self.layers for part in layer]

    def reorder(self, rows: Int[Tensor, " kept"]) -> RecurrentState:
        """The state of these rows, which may come back more than once or not at all."""
        return self._each(lambda part: part.index_select(1, rows))

    def detach(self) -> RecurrentState:
        """The same numbers, from which no gradient goes back (truncated back-propagation, Williams & Peng 1990)."""
        return self._each(torch.Tensor.detach)

    def _each(self, change: Callable[[Tensor], Tensor]) -> RecurrentState:
        return RecurrentState([tuple(map(change, layer)) for layer in self.layers])


class Recurrent(nn.Module):
    """A stack of recurrent layers (Elman 1990; Hochreiter & Schmidhuber 1997; Cho et al. 2014).

    Input (tokens, width) in row order, output (tokens, hidden_width * directions) in row order; the last
    layer may have a width of its own. Layers want tokens by time step; that order is a permutation of ours, so there
    is no padding on the way in or out. On a CPU `nn.recurrence` runs them, but for LSTMs over rows of about one length,
    which torch's kernel has faster; elsewhere that runs all. `nn.cells` has the same written out.

    `dropout` lies between layers, `locked` to one mask for all steps of a row (Gal & Ghahramani 2016);
    `weight_drop` leaves out single recurrent weights, the same for all steps and rows (Merity et al. 2018,
    section 2). The weights themselves are never changed: dropped ones are a function's argument.
    """

    def __init__(
        self,
        cell: Cell,
        width: int,
        hidden_width: int,
        *,
        num_layers: int = 1,
        last_width: int | None = None,
        bidirectional: bool = False,
        dropout: float = 0.0,
        locked: bool = False,
        weight_drop: float = 0.0,
    ) -> None:
        super().__init__()
        self.cell = cell
        self.bidirectional = bidirectional
        self.widths = widths = [hidden_width] * (num_layers - 1) + [last_width or hidden_width]
        directions = 2 if bidirectional else 1
        inputs = [width, *(directions * before for before in widths)]
        self.layers = nn.ModuleList(
            CELLS[cell](read, made, bidirectional=bidirectional)
            for read, made in zip(inputs, widths, strict=False)
        )
        self.width = directions * widths[-1]
        self.dropout = LockedDropout(dropout) if locked else Dropout(dropout)
        self.weight_drop = Dropout(weight_drop)

    def forward(
        self, x: Float[Tensor, "tokens width"], layout: Layout, state: RecurrentState | None = None
    ) -> Float[Tensor, "tokens hidden"]:
        """States of all tokens; rows begin from `state` if there is one, which is set to where they end."""
        by_time, sizes, longest_first = time_order(layout)
        # Rows enter longest first, as the fused kernel requires; nothing depends on their order.
        before = (self.begin(layout.num_rows) if state is None else state).reorder(longest_first)
        x, rows = x.index_select(0, by_time), layout.rows.index_select(0, by_time)
        after = []
        for depth, (layer, start) in enumerate(zip(self.layers, before.layers, strict=True)):
            if depth:
                x = self.dropout(x, rows) if isinstance(self.dropout, LockedDropout) else self.dropout(x)
            x, *end = self._run(layer, x, sizes, start, ends=state is not None)
            after.append(tuple(end))
        if state is not None:
            state.layers = RecurrentState(after).reorder(inverse(longest_first)).layers
        return x.index_select(0, inverse(by_time))

    def begin(self, num_rows: int) -> RecurrentState:
        """The state before anything was read: zeros."""
        parts = 2 if self.cell == "lstm" else 1
        directions = 2 if self.bidirectional else 1
        weight = next(self.parameters())
        shapes = [(directions, num_rows, width) for width in self.widths]
        return RecurrentState([tuple(weight.new_zeros(shape) for _ in range(parts)) for shape in shapes])

    def _run(self, layer: Any, x: Tensor, sizes: Tensor, start: Parts, *, ends: bool) -> Parts:
        """One layer: the states of all tokens, in the order of time, and those at the end of each row, if asked for."""
        if x.device.type != "cpu":
            return self._packed(layer, x, sizes, start)
        counts, mirror, ways = sizes.tolist(), mirrored(sizes) if self.bidirectional else None, []
        uneven, cells = counts[0] != counts[-1], counts[0] * len(counts)
        if self.cell == "lstm" and cells <= (1 + WASTE) * len(x) and not (ends and uneven):
            grid = padded(sizes) if uneven else None
            run = partial(_by_kernel, grid, len(counts), self.training)
        else:
            run = partial(recurrence, self.cell, counts)
        for way, suffix in enumerate(WAYS[: start[0].shape[0]]):
            turn = mirror if way else None
            read = x if turn is None else x.index_select(0, turn)
            states, *ended = run(read, self._weights(layer, suffix), tuple(part[way] for part in start))
            ways.append((states if turn is None else states.index_select(0, turn), *ended))
        every, *last = zip(*ways, strict=True)
        return torch.cat(every, dim=-1), *map(torch.stack, last)

    def _packed(self, layer: Any, x: Tensor, sizes: Tensor, start: Parts, *, ends: bool = True) -> Parts:
        """The same by one kernel for all steps, as GPUs have it: it knows the ends, asked for or not."""
        weights = [weight for suffix in WAYS[: start[0].shape[0]] for weight in self._weights(layer, suffix)]
        begin = start if len(start) == 2 else start[0]
        out: Parts = KERNELS[self.cell](
            x, sizes, begin, weights, True, 1, 0.0, self.training, self.bidirectional
        )
        return out

    def _weights(self, layer: Any, suffix: str) -> list[Tensor]:
        """Those of one direction of a layer, recurrent ones with some dropped."""
        into, on, *biases = (getattr(layer, f"{name}_{suffix}") for name in WEIGHTS)
        return [into, self.weight_drop(on), *biases]


def _by_kernel(
    grid: tuple[Tensor, Tensor] | None,
    steps: int,
    training: bool,
    x: Tensor,
    weights: Sequence[Tensor],
    start: Parts,
) -> Parts:
    """`recurrence` of an LSTM by torch's kernel, which wants rows of one length and is the faster for it; where they
    are padded to that, what they end in is not known."""
    cells = x if grid is None else x.index_select(0, grid[0])
    begin = tuple(part[None].contiguous() for part in start)
    rows = cells.view(steps, len(start[0]), -1)
    states, *ends = torch.lstm(rows, begin, [*weights], True, 1, 0.0, training, False, False)
    flat = states.flatten(0, 1)
    return (flat, *(part[0] for part in ends)) if grid is None else (flat.index_select(0, grid[1]), *start)


def time_order(layout: Layout) -> tuple[Tensor, Tensor, Tensor]:
    """The permutation from row order to time order, how many rows are alive at each step, and rows longest first."""
    longest_first = layout.lengths.argsort(descending=True, stable=True)
    rank = inverse(longest_first)
    by_time = torch.argsort(layout.positions * layout.num_rows + rank[layout.rows])
    sizes = torch.bincount(layout.positions).cpu()  # the kernel wants sizes on the host
    return by_time, sizes, longest_first


def mirrored(sizes: Int[Tensor, " steps"]) -> Int[Tensor, " tokens"]:
    """In the order of time, for each token the one as far from the other end of its row."""
    alive = sizes.numpy()
    starts = np.cumsum(alive) - alive
    lengths = np.searchsorted(-alive, -np.arange(alive[0]))
    step = np.repeat(np.arange(len(alive)), alive)
    rank = np.arange(len(step)) - starts[step]
    return torch.from_numpy(starts[lengths[rank] - 1 - step] + rank)


def padded(sizes: Int[Tensor, " steps"]) -> tuple[Int[Tensor, " cells"], Int[Tensor, " tokens"]]:
    """The token of every cell of the grid (steps, rows), 0 where there is none, and the cell of every token."""
    rows = torch.arange(int(sizes[0]))
    inside = rows < sizes[:, None]
    tokens = torch.where(inside, (sizes.cumsum(0) - sizes)[:, None] + rows, 0)
    return tokens.flatten(), inside.flatten().nonzero()[:, 0]


def inverse(order: Int[Tensor, " n"]) -> Int[Tensor, " n"]:
    """Where each number stands in a permutation."""
    places = torch.empty_like(order)
    places[order] = torch.arange(len(order), device=order.device)
    return places
