"""What decoding remembers between two calls: keys and values of every layer."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

ROOM = 32  # cells that a cache grows by at least


@dataclass(slots=True)
class KeyValues:
    """One layer's keys and values, (rows, heads, room, head_width); `room` may be more than is in use."""

    keys: Float[Tensor, "rows heads room head_width"]
    values: Float[Tensor, "rows heads room head_width"]

    def write(self, k: Float[Tensor, "rows heads head_width"], v: Tensor, at: Int[Tensor, " rows"]) -> None:
        """Set row i's cell `at[i]`; the room doubles when it is used up."""
        if self.keys.dtype != k.dtype:  # empty, and made before it was known what is computed in
            self.keys, self.values = self.keys.to(k.dtype), self.values.to(k.dtype)
        if (room := self.keys.shape[2]) <= int(at.max()):
            more = (0, 0, 0, max(ROOM, room))
            self.keys = torch.nn.functional.pad(self.keys, more)
            self.values = torch.nn.functional.pad(self.values, more)
        rows = torch.arange(len(at), device=at.device)
        self.keys[rows, :, at] = k
        self.values[rows, :, at] = v

    def reorder(self, rows: Int[Tensor, " kept"]) -> KeyValues:
        return KeyValues(self.keys.index_select(0, rows), self.values.index_select(0, rows))


@dataclass(slots=True)
class DecodeState:
    """The tokens each row has read (`lengths`), and per layer what they left: `past`, and `memory` of the source.

    `memory_mask` tells real source tokens from padding.
    """

    lengths: Int[Tensor, " rows"]
    past: list[KeyValues]
    memory: list[KeyValues]
    memory_mask: Bool[Tensor, "rows 1 1 source"] | None = None

    def reorder(self, rows: Int[Tensor, " kept"]) -> DecodeState:
        """The state of these rows, which may come back more than once or not at all."""
        mask = None if self.memory_mask is None else self.memory_mask.index_select(0, rows)
        past, memory = ([layer.reorder(rows) for layer in layers] for layers in (self.past, self.memory))
        return DecodeState(self.lengths.index_select(0, rows), past, memory, mask)
