"""The Transformer block and the stack of them; every axis that papers vary is a field of `BlockConfig`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from gradatim.errors import ConfigError, did_you_mean
from gradatim.nn.attention import attend
from gradatim.nn.dropout import Dropout
from gradatim.nn.packed import Group, Layout

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "relu": F.relu,
    "silu": F.silu,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockConfig:
    """Sizes and axes of one block; `norm_order` is "post" (2017, BERT) or "pre" (GPT-2)."""

    width: int
    num_heads: int
    ffn_width: int
    activation: str = "gelu"
    norm_order: Literal["pre", "post"] = "post"
    norm_eps: float = 1e-12
    dropout: float = 0.1
    attention_dropout: float = 0.1

    def __post_init__(self) -> None:
        for size in ("width", "num_heads", "ffn_width"):
            if getattr(self, size) < 1:
                raise ConfigError(f"{size} must be at least 1, not {getattr(self, size)}")
        for share in ("dropout", "attention_dropout"):
            if not 0 <= getattr(self, share) < 1:
                raise ConfigError(f"{share} is a probability in [0, 1), not {getattr(self, share)}")
        if self.width % self.num_heads:
            raise ConfigError(
                f"width {self.width} is not a multiple of num_heads {self.num_heads}; change one of them"
            )
        if self.activation not in ACTIVATIONS:
            raise ConfigError(
                f"unknown activation '{self.activation}'{did_you_mean(self.activation, ACTIVATIONS)}; "
                f"known: {', '.join(ACTIVATIONS)}"
            )
        if self.norm_order not in ("pre", "post"):
            raise ConfigError(f"norm_order is 'pre' or 'post', not '{self.norm_order}'")


@dataclass(slots=True)
class Trace:
    """What a stack saw on its way, filled when a caller asks: hidden states and attention weights.

    `hidden` holds (tokens, width) after the embedding and after each block; `weights` holds, per
    block and group of equal-length rows, (rows, heads, longest, longest).
    """

    hidden: list[Tensor]
    weights: list[list[Tensor]] | None = None


class SelfAttention(nn.Module):
    """Multi-head self-attention over a packed batch (Vaswani et al. 2017, section 3.2.2)."""

    def __init__(self, config: BlockConfig) -> None:
        super().__init__()
        self.num_heads = config.num_heads
        self.dropout = config.attention_dropout
        self.qkv = nn.Linear(config.width, 3 * config.width)
        self.out = nn.Linear(config.width, config.width)

    def forward(
        self, x: Float[Tensor, "tokens width"], layout: Layout, weights: list[Tensor] | None = None
    ) -> Float[Tensor, "tokens width"]:
        """Mix tokens within each row; attention weights are appended to `weights` if it is given."""
        qkv = self.qkv(x)
        parts = [self._mix_group(qkv, group, weights) for group in layout.groups]
        mixed = parts[0] if len(parts) == 1 else torch.cat(parts)
        if layout.order is not None:
            mixed = mixed.index_select(0, layout.order)
        return self.out(mixed)  # type: ignore[no-any-return]

    def _mix_group(self, qkv: Tensor, group: Group, weights: list[Tensor] | None) -> Tensor:
        width = qkv.shape[-1] // 3
        cells = group.rows * group.longest
        grid = (
            qkv[group.start : group.start + cells]
            if group.gather is None
            else qkv.index_select(0, group.gather)
        )
        # (rows, longest, 3, heads, head_width) -> three of (rows, heads, longest, head_width)
        q, k, v = grid.view(group.rows, group.longest, 3, self.num_heads, -1).permute(2, 0, 3, 1, 4)
        dropout = self.dropout if self.training else 0.0
        mixed, seen = attend(q, k, v, mask=group.mask, dropout=dropout, need_weights=weights is not None)
        if weights is not None and seen is not None:
            weights.append(seen)
        flat = mixed.transpose(1, 2).reshape(cells, width)
        return flat if group.scatter is None else flat.index_select(0, group.scatter)


class FeedForward(nn.Module):
    """Position-wise feed-forward network (Vaswani et al. 2017, eq. 2, with a choice of activation)."""

    def __init__(self, config: BlockConfig) -> None:
        super().__init__()
        self.up = nn.Linear(config.width, config.ffn_width)
        self.down = nn.Linear(config.ffn_width, config.width)
        self.activation = ACTIVATIONS[config.activation]

    def forward(self, x: Float[Tensor, "tokens width"]) -> Float[Tensor, "tokens width"]:
        return self.down(self.activation(self.up(x)))  # type: ignore[no-any-return]


class Block(nn.Module):
    """Attention and feed-forward, each with a residual connection and a layer norm.

    post: x = norm(x + f(x))        pre: x = x + f(norm(x))
    """

    def __init__(self, config: BlockConfig) -> None:
        super().__init__()
        self.attention = SelfAttention(config)
        self.attention_norm = nn.LayerNorm(config.width, eps=config.norm_eps)
        self.ffn = FeedForward(config)
        self.ffn_norm = nn.LayerNorm(config.width, eps=config.norm_eps)
        self.dropout = Dropout(config.dropout)
        self.pre = config.norm_order == "pre"

    def forward(
        self, x: Float[Tensor, "tokens width"], layout: Layout, weights: list[Tensor] | None = None
    ) -> Float[Tensor, "tokens width"]:
        if self.pre:
            x = x + self.dropout(self.attention(self.attention_norm(x), layout, weights))
            return x + self.dropout(self.ffn(self.ffn_norm(x)))  # type: ignore[no-any-return]
        x = self.attention_norm(x + self.dropout(self.attention(x, layout, weights)))
        return self.ffn_norm(x + self.dropout(self.ffn(x)))  # type: ignore[no-any-return]


class Stack(nn.Module):
    """Blocks one after another."""

    def __init__(self, config: BlockConfig, num_layers: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block(config) for _ in range(num_layers))

    def forward(
        self, x: Float[Tensor, "tokens width"], layout: Layout, trace: Trace | None = None
    ) -> Float[Tensor, "tokens width"]:
        for block in self.blocks:
            weights: list[Tensor] | None = None
            if trace is not None and trace.weights is not None:
                trace.weights.append(weights := [])
            x = block(x, layout, weights)
            if trace is not None:
                trace.hidden.append(x)
        return x
