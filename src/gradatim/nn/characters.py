"""A word from its letters: convolutions, the largest value over places, highways."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import cast

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

GROUPS = 4  # of words of about equal length


class CharacterCNN(nn.Module):
    """Vectors of words from their letters (Kim et al. 2016, sections 2.2 and 2.3), each different word once.

    `filters` are pairs: how many letters a filter sees, and how many there are of it.
    """

    def __init__(
        self,
        num_symbols: int,
        width: int,
        filters: Sequence[tuple[int, int]],
        *,
        symbol_width: int = 16,
        num_highways: int = 1,
    ) -> None:
        super().__init__()
        self.symbols = nn.Embedding(num_symbols, symbol_width)
        self.widest = max(size for size, _ in filters)
        self.filters = nn.ModuleList(nn.Conv1d(symbol_width, count, size) for size, count in filters)
        inner = sum(count for _, count in filters)
        self.highways = nn.ModuleList(nn.Linear(inner, 2 * inner) for _ in range(num_highways))
        for highway in self.highways:
            # Carries at first (Srivastava et al. 2015).
            nn.init.constant_(highway.get_parameter("bias")[inner:], -2.0)
        self.linear = nn.Linear(inner, width)

    def forward(self, letters: Int[Tensor, "words letters"]) -> Float[Tensor, "words width"]:
        own, places = distinct_rows(letters)
        order, parts = alike_in_length(own, self.widest)
        x = torch.cat([self._seen(part) for part in parts]).index_select(0, order.argsort())
        for highway in self.highways:
            new, gate = highway(x).chunk(2, dim=-1)
            x = torch.lerp(x, torch.relu(new), torch.sigmoid(gate))
        made: Tensor = self.linear(x)
        return made.index_select(0, places)

    def _seen(self, letters: Int[Tensor, "words letters"]) -> Float[Tensor, "words filters"]:
        """The most that each filter finds at any place: a product with all windows, for which a word is too short to
        be convolved well."""
        symbols, found = self.symbols(letters), []
        for part in cast(Iterable[nn.Conv1d], self.filters):
            windows = symbols.unfold(1, part.kernel_size[0], 1).flatten(2)
            found.append(F.linear(windows, part.weight.flatten(1), part.bias).amax(1).relu())
        return torch.cat(found, dim=-1)


def alike_in_length(rows: Int[Tensor, "rows columns"], window: int) -> tuple[Tensor, list[Tensor]]:
    """The order of rows by length, and the rows so in groups, without most of what only fills them up.

    So much of it stays that every `window` of a whole row occurs in what is left.
    """
    places = torch.arange(1, rows.shape[1] + 1, device=rows.device)
    lengths = ((rows != rows[:, -1:]) * places).amax(1)
    order = lengths.argsort()
    if not len(rows):
        return order, [rows]
    groups = [(rows[some], int(lengths[some[-1]]) + window) for some in order.chunk(GROUPS)]
    return order, [group[:, :reach] for group, reach in groups]


def distinct_rows(rows: Int[Tensor, "rows columns"]) -> tuple[Tensor, Tensor]:
    """The rows that differ, and which of them each row is: by 64-bit hashes, whose order is of no account."""
    powers = torch.full((rows.shape[1],), 0x9E3779B97F4A7C15 - (1 << 64), device=rows.device).cumprod(0)
    keys = ((rows + 1) * powers).sum(1)
    _, places = torch.unique(keys, return_inverse=True)
    first = torch.zeros(int(places.max()) + 1 if len(places) else 0, dtype=torch.long, device=rows.device)
    first[places] = torch.arange(len(places), device=rows.device)
    return rows[first], places
