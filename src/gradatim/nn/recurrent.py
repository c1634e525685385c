"""Recurrent layers over a packed batch: one class for RNN, GRU and LSTM, one or both directions."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from gradatim.nn.packed import Layout

Cell = Literal["rnn", "gru", "lstm"]
CELLS: dict[Cell, type[nn.RNN | nn.GRU | nn.LSTM]] = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


class Recurrent(nn.Module):
    """A stack of recurrent layers (Elman 1990; Hochreiter & Schmidhuber 1997; Cho et al. 2014).

    Input (tokens, width) in row order, output (tokens, hidden_width * directions) in row order.
    The fused kernel wants tokens by time step; that order is a permutation of ours, so there is no
    padding on the way in or out.
    """

    def __init__(
        self,
        cell: Cell,
        width: int,
        hidden_width: int,
        *,
        num_layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.fused = CELLS[cell](
            width,
            hidden_width,
            num_layers=num_layers,
            bidirectional=bidirectional,
            dropout=dropout if num_layers > 1 else 0.0,
        )

    def forward(self, x: Float[Tensor, "tokens width"], layout: Layout) -> Float[Tensor, "tokens hidden"]:
        by_time, sizes = time_order(layout)
        # Rows enter longest first, as the fused kernel requires; nothing depends on their order.
        packed = PackedSequence(x.index_select(0, by_time), sizes)
        out: Tensor = self.fused(packed)[0].data
        back = torch.empty_like(by_time)
        back[by_time] = torch.arange(len(by_time), device=x.device)
        return out.index_select(0, back)


def time_order(layout: Layout) -> tuple[Tensor, Tensor]:
    """The permutation from row order to time order, and how many rows are alive at each step."""
    rank = torch.empty_like(layout.lengths)
    longest_first = layout.lengths.argsort(descending=True, stable=True)
    rank[longest_first] = torch.arange(layout.num_rows, device=rank.device)
    by_time = torch.argsort(layout.positions * layout.num_rows + rank[layout.rows])
    return by_time, torch.bincount(layout.positions).cpu()  # the kernel wants sizes on the host
