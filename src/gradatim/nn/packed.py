"""The native layout: all tokens of a batch in one flat row, and how attention finds its groups in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

T = TypeVar("T")
WASTE = 0.25  # share of a group's cells that may be padding before it is split


@dataclass(frozen=True, slots=True)
class Group:
    """Rows of similar length, attended to together: `members` of the batch, in this order.

    `gather` maps the cells of the padded (rows, longest) grid to flat tokens (padding to token 0),
    `scatter` lists the grid cells that are tokens. Both are None where the grid is exactly
    the flat tokens `start : start + rows * longest`, which then needs no copy at all. `members` stay
    on the host, where groups are planned.
    """

    members: np.ndarray
    rows: int
    longest: int
    start: int
    gather: Int[Tensor, " cells"] | None
    scatter: Int[Tensor, " tokens"] | None
    mask: Bool[Tensor, "rows 1 1 longest"] | None

    def take(self, x: Tensor) -> Tensor:
        """Flat tokens (tokens, ...) as this group's grid (rows, longest, ...)."""
        end = self.start + self.rows * self.longest
        grid = x[self.start : end] if self.gather is None else x.index_select(0, self.gather)
        return grid.view(self.rows, self.longest, *x.shape[1:])

    def put(self, grid: Tensor) -> Tensor:
        """The group's tokens (its tokens, ...) of a grid (rows, longest, ...), in the group's order."""
        flat = grid.flatten(0, 1)
        return flat if self.scatter is None else flat.index_select(0, self.scatter)


@dataclass(frozen=True, slots=True)
class Layout:
    """Where each row of a packed batch lies: row i holds tokens offsets[i] : offsets[i + 1].

    `positions` counts tokens from the start of their row; `rows` names the row of each token;
    `order` restores token order after the groups' outputs are joined (None when already in order);
    `sizes` are the lengths on the host; `bounds` are the offsets and the end, as kernels for packed rows want them.
    """

    lengths: Int[Tensor, " rows"]
    offsets: Int[Tensor, " rows"]
    positions: Int[Tensor, " tokens"]
    rows: Int[Tensor, " tokens"]
    groups: tuple[Group, ...]
    order: Int[Tensor, " tokens"] | None
    sizes: np.ndarray
    bounds: Int[Tensor, " rows+1"]

    @property
    def num_rows(self) -> int:
        return len(self.lengths)

    @property
    def num_tokens(self) -> int:
        return len(self.positions)

    def join(self, parts: Sequence[Tensor]) -> Tensor:
        """What the groups' `put` gave, as flat tokens in order."""
        joined = parts[0] if len(parts) == 1 else torch.cat(list(parts))
        return joined if self.order is None else joined.index_select(0, self.order)

    def regroup(self, groups: Sequence[Group]) -> tuple[Group, ...]:
        """This layout's rows, in the groups that another layout of as many rows has made."""
        offsets, device = np.cumsum(self.sizes) - self.sizes, self.lengths.device
        return tuple(moved(_group(group.members, self.sizes, offsets)[0], device) for group in groups)

    def whole(self) -> Group:
        """All rows as one padded grid, in order."""
        offsets = np.cumsum(self.sizes) - self.sizes
        return moved(_group(np.arange(self.num_rows), self.sizes, offsets)[0], self.lengths.device)

    def to(self, device: torch.device) -> Layout:
        """The same layout for tokens on `device`."""
        return moved(self, device)

    @classmethod
    def of(cls, lengths: Sequence[int] | np.ndarray, *, waste: float = WASTE) -> Layout:
        """Plan a batch of rows of these `lengths` (each at least 1), in any order."""
        sizes = np.asarray(lengths)
        if sizes.ndim != 1 or sizes.dtype.kind not in "iu" or not len(sizes) or sizes.min() < 1:
            raise ValueError("lengths must be a non-empty sequence of positive integers")
        if not 0 <= waste <= 1:
            raise ValueError(f"waste is a share in [0, 1], not {waste}")
        sizes = sizes.astype(np.int64)
        offsets = np.cumsum(sizes) - sizes
        rows = np.repeat(np.arange(len(sizes)), sizes)
        positions = np.arange(sizes.sum()) - offsets[rows]
        groups, order = [], []
        for members in _similar(sizes, waste):
            group, tokens = _group(members, sizes, offsets)
            groups.append(group)
            order.append(tokens)
        placed = np.concatenate(order)
        inverse = None
        if not np.array_equal(placed, np.arange(len(placed))):
            inverse = np.empty_like(placed)
            inverse[placed] = np.arange(len(placed))
        return cls(
            torch.from_numpy(sizes),
            torch.from_numpy(offsets),
            torch.from_numpy(positions),
            torch.from_numpy(rows),
            tuple(groups),
            None if inverse is None else torch.from_numpy(inverse),
            sizes,
            torch.from_numpy(np.append(0, sizes.cumsum()).astype(np.int32)),
        )


def moved(value: T, device: torch.device) -> T:
    """A record of tensors, records, tuples and mappings of them, with the tensors on `device`."""
    if isinstance(value, Tensor):
        return value.to(device, non_blocking=True)  # type: ignore[return-value]
    if isinstance(value, tuple):
        return tuple(moved(part, device) for part in value)  # type: ignore[return-value]
    if isinstance(value, Mapping):
        return {name: moved(part, device) for name, part in value.items()}  # type: ignore[return-value]
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{f.name: moved(getattr(value, f.name), device) for f in fields(value)})
    return value


def _similar(sizes: np.ndarray, waste: float) -> list[np.ndarray]:
    """Split rows, by length, into the fewest runs whose padded grid wastes at most `waste` of its cells."""
    by_length = np.argsort(sizes, kind="stable")
    runs, start, cells = [], 0, 0
    for end, row in enumerate(by_length):
        grown = cells + sizes[row]
        if grown < (1 - waste) * sizes[row] * (end - start + 1):
            runs.append(np.sort(by_length[start:end]))
            start, grown = end, sizes[row]
        cells = grown
    runs.append(np.sort(by_length[start:]))
    return runs


def _group(members: np.ndarray, sizes: np.ndarray, offsets: np.ndarray) -> tuple[Group, np.ndarray]:
    """Plan one group and list its tokens in the order in which its output will hold them."""
    longest = int(sizes[members].max())
    inside = np.arange(longest) < sizes[members, None]
    grid = np.where(inside, offsets[members, None] + np.arange(longest), 0)
    tokens = grid[inside]
    start = int(tokens[0])
    full = bool(inside.all())
    if full and np.array_equal(tokens, np.arange(start, start + len(tokens))):
        return Group(members, len(members), longest, start, None, None, None), tokens
    return (
        Group(
            members,
            len(members),
            longest,
            start,
            torch.from_numpy(grid.ravel()),
            None if full else torch.from_numpy(np.flatnonzero(inside)),
            None if full else torch.from_numpy(inside[:, None, None, :]),
        ),
        tokens,
    )
