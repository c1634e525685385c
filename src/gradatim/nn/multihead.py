"""Multi-head attention over packed rows: to the row itself, to a memory, and one token at a time."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from gradatim.nn.attention import attend, attend_near, attend_packed, packs
from gradatim.nn.axes import BlockConfig
from gradatim.nn.masks import visible
from gradatim.nn.packed import Group, Layout
from gradatim.nn.positions import rotate
from gradatim.nn.state import KeyValues


@dataclass(frozen=True, slots=True)
class Memory:
    """States of a second packed batch to attend to, its rows grouped as those of the first."""

    states: Float[Tensor, "source width"]
    layout: Layout
    groups: tuple[Group, ...]

    @classmethod
    def of(cls, states: Tensor, layout: Layout, reader: Layout) -> Memory:
        """For `reader`, the batch whose row i attends to row i of `layout`."""
        return cls(states, layout, layout.regroup(reader.groups))


class Attention(nn.Module):
    """Multi-head attention (Vaswani et al. 2017, section 3.2.2)."""

    def __init__(self, config: BlockConfig, *, cross: bool = False) -> None:
        super().__init__()
        self.config = config
        inner = config.num_heads * config.head_width
        if cross:
            self.q = nn.Linear(config.width, inner, bias=config.bias)
            self.kv = nn.Linear(config.width, 2 * inner, bias=config.bias)
        else:
            self.qkv = nn.Linear(config.width, 3 * inner, bias=config.bias)
        self.out = nn.Linear(inner, config.width, bias=config.bias)

    @property
    def queries(self) -> Tensor:
        """The weights that make queries, (inner, width), as a view."""
        return self.q.weight if hasattr(self, "q") else self.qkv.weight[: self.out.in_features]

    def crossed(self) -> dict[str, Tensor]:
        """The weights of attention within a row as those of attention to a memory."""
        inner = self.out.in_features
        weights = {f"out.{name}": part for name, part in self.out.state_dict().items()}
        for name, part in self.qkv.state_dict().items():
            weights |= {f"q.{name}": part[:inner], f"kv.{name}": part[inner:]}
        return weights

    def forward(
        self,
        x: Float[Tensor, "tokens width"],
        layout: Layout,
        *,
        bias: Float[Tensor, "1 heads longest longest"] | None = None,
        memory: Memory | None = None,
        past: KeyValues | None = None,
        weights: list[Tensor] | None = None,
    ) -> Float[Tensor, "tokens width"]:
        """Mix tokens within each row, or each row of the memory into its reader.

        Keys and values of all rows go into `past`, attention weights (rows, heads, longest, keys) of
        each group are appended to `weights`, where these are given.
        """
        parts = []
        if memory is not None:
            queries, stored = self._heads(self.q(x), 1), self._heads(self.kv(memory.states), 2)
            if self._flows(queries, bias, weights):
                return self._flow((*queries.unbind(1), *stored.unbind(1)), layout, memory.layout)
            for group, keys in zip(layout.groups, memory.groups, strict=True):
                (q,), (k, v) = _by_head(group.take(queries)), _by_head(keys.take(stored))
                parts.append(group.put(self._answer(q, k, v, keys.mask, None, weights)))
        else:
            qkv = self._heads(self.qkv(x), 3)
            if past is not None:
                _, past.keys, past.values = self._turned(_by_head(layout.whole().take(qkv)))
            if self._flows(qkv, bias, weights):
                turned = self._turned(_by_head(qkv[:, None]), layout.positions[:, None])
                return self._flow(tuple(part[:, :, 0] for part in turned), layout)
            for group in layout.groups:
                q, k, v = self._turned(_by_head(group.take(qkv)))
                parts.append(group.put(self._within(q, k, v, group.mask, bias, weights)))
        return self.out(layout.join(parts))  # type: ignore[no-any-return]

    def advance(
        self,
        x: Float[Tensor, "rows width"],
        at: Int[Tensor, " rows"],
        past: KeyValues,
        bias: Float[Tensor, "#rows heads 1 keys"] | None = None,
    ) -> Float[Tensor, "rows width"]:
        """One more token for every row, at its position `at`; its key and value are written to `past`."""
        qkv = self._heads(self.qkv(x), 3)[:, None]
        q, k, v = self._turned(_by_head(qkv), at[:, None])
        past.write(k[:, :, 0], v[:, :, 0], at)
        used = int(at.max()) + 1
        distance = at[:, None] - torch.arange(used, device=at.device)
        seen = distance >= 0
        if self.config.window is not None:
            seen &= distance <= self.config.window
        mixed = self._answer(q, past.keys[:, :, :used], past.values[:, :, :used], seen[:, None, None], bias)
        return self.out(mixed[:, 0])  # type: ignore[no-any-return]

    def remember(self, states: Float[Tensor, "source width"], layout: Layout) -> KeyValues:
        """Keys and values of a memory, made once for all steps of decoding."""
        return KeyValues(*_by_head(layout.whole().take(self._heads(self.kv(states), 2))))

    def recall(
        self, x: Float[Tensor, "rows width"], memory: KeyValues, mask: Tensor | None = None
    ) -> Float[Tensor, "rows width"]:
        """One token of every row attends to its row of the memory."""
        (q,) = _by_head(self._heads(self.q(x), 1)[:, None])
        return self.out(self._answer(q, memory.keys, memory.values, mask, None)[:, 0])  # type: ignore[no-any-return]

    def _flows(self, heads: Tensor, bias: Tensor | None, weights: list[Tensor] | None) -> bool:
        """Whether rows are attended to as they lie, without groups of padded ones."""
        return bias is None and weights is None and not self._dropout and packs(heads)

    def _flow(
        self, qkv: tuple[Tensor, ...], layout: Layout, memory: Layout | None = None
    ) -> Float[Tensor, "tokens width"]:
        """The rows see themselves, as far as the configuration lets them, or all of their rows of a memory."""
        config, within = self.config, memory is None
        q, k, v = qkv
        mixed = attend_packed(
            q, k, v, layout, memory or layout, causal=config.causal and within,
            window=config.window if within else None, scale=config.scale,
        )  # fmt: skip
        return self.out(mixed.flatten(1))  # type: ignore[no-any-return]

    def _within(
        self,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        mask: Tensor | None,
        bias: Tensor | None,
        weights: list[Tensor] | None,
    ) -> Tensor:
        """Rows attend to themselves, as far as the configuration lets them see."""
        config, length = self.config, q.shape[2]
        if config.window is not None and length > 2 * config.window and bias is None and weights is None:
            mixed = attend_near(
                q,
                k,
                v,
                config.window,
                causal=config.causal,
                mask=mask,
                scale=config.scale,
                dropout=self._dropout,
            )
            return mixed.transpose(1, 2).flatten(2)
        if config.causal or config.window is not None:
            seen = visible(length, length, causal=config.causal, window=config.window, device=q.device)
            mask = seen[None, None] if mask is None else mask & seen
        return self._answer(q, k, v, mask, None if bias is None else bias[..., :length, :length], weights)

    def _answer(
        self,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        mask: Tensor | None,
        bias: Tensor | None,
        weights: list[Tensor] | None = None,
    ) -> Float[Tensor, "rows queries inner"]:
        """`attend` with this layer's scale and dropout."""
        mixed, seen = attend(
            q,
            k,
            v,
            mask=mask,
            bias=bias,
            scale=self.config.scale,
            dropout=self._dropout,
            need_weights=weights is not None,
        )
        if weights is not None and seen is not None:
            weights.append(seen)
        return mixed.transpose(1, 2).flatten(2)

    @property
    def _dropout(self) -> float:
        return self.config.attention_dropout if self.training else 0.0

    def _heads(self, flat: Tensor, parts: int) -> Tensor:
        return flat.view(len(flat), parts, self.config.num_heads, self.config.head_width)

    def _turned(self, qkv: tuple[Tensor, ...], positions: Tensor | None = None) -> tuple[Tensor, ...]:
        """Queries and keys rotated by their position, which counts from 0 unless given."""
        if not self.config.rotary:
            return qkv
        q, k, v = qkv
        at = torch.arange(q.shape[2], device=q.device)[None] if positions is None else positions
        return rotate(q, at), rotate(k, at), v


def _by_head(grid: Float[Tensor, "rows length parts heads head_width"]) -> tuple[Tensor, ...]:
    """The parts of a grid, (rows, heads, length, head_width) each."""
    return grid.permute(2, 0, 3, 1, 4).unbind()
