"""Blocks one after another, with what they share: a bias by distance, and a norm at the end."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from gradatim.nn.axes import BlockConfig
from gradatim.nn.block import Block
from gradatim.nn.multihead import Memory
from gradatim.nn.packed import Layout
from gradatim.nn.positions import RelativeBias
from gradatim.nn.state import DecodeState, KeyValues


@dataclass(slots=True)
class Trace:
    """What a stack saw on its way, filled when a caller asks: hidden states and attention weights.

    `hidden` holds (tokens, width) after the embedding and after each block, what closes the stack being part of the
    last; `weights` holds, per block and group of rows, (rows, heads, longest, longest); `cross_weights` (rows, heads,
    longest, source).
    """

    hidden: list[Tensor]
    weights: list[list[Tensor]] | None = None
    cross_weights: list[list[Tensor]] = field(default_factory=list)


class Stack(nn.Module):
    """`num_layers` equal blocks.

    `buckets` and `max_distance` give all blocks one relative bias (0 for none); `final_norm` closes a
    pre-norm stack.
    """

    def __init__(
        self,
        config: BlockConfig,
        num_layers: int,
        *,
        buckets: int = 0,
        max_distance: int = 128,
        final_norm: bool = False,
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block(config) for _ in range(num_layers))
        self.bias = (
            RelativeBias(config.num_heads, buckets, max_distance, causal=config.causal) if buckets else None
        )
        self.norm = config.build_norm() if final_norm else nn.Identity()

    def forward(
        self,
        x: Float[Tensor, "tokens width"],
        layout: Layout,
        *,
        memory: Memory | None = None,
        trace: Trace | None = None,
        state: DecodeState | None = None,
    ) -> Float[Tensor, "tokens width"]:
        """All tokens of a packed batch at once; a `state` is filled, so that decoding can go on from here."""
        longest = max(group.longest for group in layout.groups)
        bias = self._bias(torch.arange(longest, device=x.device)[None], longest)
        for i, block in enumerate(self.blocks):
            weights: list[Tensor] | None = None
            cross: list[Tensor] | None = None
            if trace is not None and trace.weights is not None:
                trace.weights.append(weights := [])
                trace.cross_weights.append(cross := [])
            past = None if state is None else state.past[i]
            x = block(x, layout, bias=bias, memory=memory, past=past, weights=weights, cross_weights=cross)
            if trace is not None:
                trace.hidden.append(x)
        if state is not None:
            state.lengths = layout.lengths.clone()
        x = self.norm(x)
        if trace is not None:
            trace.hidden[-1] = x
        return x

    def begin(self, num_rows: int, memory: tuple[Tensor, Layout] | None = None) -> DecodeState:
        """An empty state of `num_rows` rows; with states of a source, their keys and values of every layer."""
        weight = next(self.parameters())
        first = self.blocks[0].attention.config  # type: ignore[union-attr]
        empty = weight.new_zeros(num_rows, first.num_heads, 0, first.head_width)  # type: ignore[union-attr, arg-type]
        past = [KeyValues(empty, empty) for _ in self.blocks]
        lengths = torch.zeros(num_rows, dtype=torch.long, device=weight.device)
        if memory is None:
            return DecodeState(lengths, past, [])
        states, layout = memory
        stored = [block.cross.remember(states, layout) for block in self.blocks]  # type: ignore[union-attr, operator]
        return DecodeState(lengths, past, stored, layout.whole().mask)

    def advance(self, x: Float[Tensor, "rows width"], state: DecodeState) -> Float[Tensor, "rows width"]:
        """One more token for every row; the state moves on by it."""
        at = state.lengths
        bias = self._bias(at[:, None], int(at.max()) + 1)
        for i, block in enumerate(self.blocks):
            memory = state.memory[i] if state.memory else None
            x = block.advance(  # type: ignore[operator]
                x, at, state.past[i], bias=bias, memory=memory, memory_mask=state.memory_mask
            )
        state.lengths = at + 1
        return self.norm(x)  # type: ignore[no-any-return]

    def _bias(self, at: Int[Tensor, "batch queries"], keys: int) -> Tensor | None:
        """The bias of queries that stand at `at` (batch, heads, queries, keys), if there is one."""
        if self.bias is None:
            return None
        return self.bias(torch.arange(keys, device=at.device) - at[..., None])  # type: ignore[no-any-return]
