"""The Transformer block; every axis that papers vary is a field of `BlockConfig`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from gradatim.errors import ConfigError, did_you_mean
from gradatim.nn.dropout import Dropout
from gradatim.nn.multihead import Attention, Memory
from gradatim.nn.packed import Layout
from gradatim.nn.state import KeyValues

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "relu": F.relu,
    "silu": F.silu,
    "tanh": torch.tanh,
}
NORMS: dict[str, type[nn.LayerNorm | nn.RMSNorm]] = {"layer": nn.LayerNorm, "rms": nn.RMSNorm}


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockConfig:
    """Sizes and axes of one block.

    norm_order  "post" (2017, BERT) or "pre" (GPT-2, T5)
    norm        "layer" or "rms" (Zhang & Sennrich 2019)
    gated       feed-forward with a gate (Shazeer 2020)
    bias        linear layers have one (T5's have none)
    scale       of attention scores; None is 1/sqrt(head_width), T5 has 1
    causal      a token sees only what came before it
    cross       attention to a second sequence follows the first
    window      a token sees at most so many tokens to either side
    rotary      queries and keys are rotated by their position
    """

    width: int
    num_heads: int
    ffn_width: int
    head_width: int = 0  # width / num_heads unless given
    activation: str = "gelu"
    gated: bool = False
    norm: Literal["layer", "rms"] = "layer"
    norm_order: Literal["pre", "post"] = "post"
    norm_eps: float = 1e-12
    bias: bool = True
    scale: float | None = None
    causal: bool = False
    cross: bool = False
    window: int | None = None
    rotary: bool = False
    dropout: float = 0.1
    attention_dropout: float = 0.1
    activation_dropout: float = 0.0

    def __post_init__(self) -> None:
        for size in ("width", "num_heads", "ffn_width"):
            if getattr(self, size) < 1:
                raise ConfigError(f"{size} must be at least 1, not {getattr(self, size)}")
        for share in ("dropout", "attention_dropout", "activation_dropout"):
            if not 0 <= getattr(self, share) < 1:
                raise ConfigError(f"{share} is a probability in [0, 1), not {getattr(self, share)}")
        if not self.head_width:
            if self.width % self.num_heads:
                raise ConfigError(
                    f"width {self.width} is not a multiple of num_heads {self.num_heads}; "
                    "change one of them or give head_width"
                )
            object.__setattr__(self, "head_width", self.width // self.num_heads)
        if self.rotary and self.head_width % 2:
            raise ConfigError(f"rotary needs an even head_width, not {self.head_width}")
        if self.window is not None and self.window < 1:
            raise ConfigError(f"window must be at least 1 token, not {self.window}")
        for axis, known in (("activation", ACTIVATIONS), ("norm", NORMS), ("norm_order", ("pre", "post"))):
            if (value := getattr(self, axis)) not in known:
                raise ConfigError(
                    f"unknown {axis} '{value}'{did_you_mean(value, known)}; known: {', '.join(known)}"
                )

    def build_norm(self) -> nn.Module:
        return NORMS[self.norm](self.width, eps=self.norm_eps)


class FeedForward(nn.Module):
    """Position-wise feed-forward network: down(f(up(x))) (Vaswani et al. 2017, eq. 2).

    Gated: down(f(gate(x)) * up(x)) (Shazeer 2020, eq. 6).
    """

    def __init__(self, config: BlockConfig) -> None:
        super().__init__()
        self.up = nn.Linear(config.width, config.ffn_width, bias=config.bias)
        self.gate = nn.Linear(config.width, config.ffn_width, bias=config.bias) if config.gated else None
        self.down = nn.Linear(config.ffn_width, config.width, bias=config.bias)
        self.activation = ACTIVATIONS[config.activation]
        self.dropout = Dropout(config.activation_dropout)

    def forward(self, x: Float[Tensor, "tokens width"]) -> Float[Tensor, "tokens width"]:
        up = self.up(x)
        active = self.activation(up) if self.gate is None else self.activation(self.gate(x)) * up
        return self.down(self.dropout(active))  # type: ignore[no-any-return]


class Block(nn.Module):
    """Attention, attention to a memory where there is one, and feed-forward, each as a residual.

    post: x = norm(x + f(x))        pre: x = x + f(norm(x))
    """

    def __init__(self, config: BlockConfig) -> None:
        super().__init__()
        self.attention = Attention(config)
        self.attention_norm = config.build_norm()
        if config.cross:
            self.cross = Attention(config, cross=True)
            self.cross_norm = config.build_norm()
        self.ffn = FeedForward(config)
        self.ffn_norm = config.build_norm()
        self.dropout = Dropout(config.dropout)
        self.pre = config.norm_order == "pre"
        self.crosses = config.cross

    def forward(
        self,
        x: Float[Tensor, "tokens width"],
        layout: Layout,
        *,
        bias: Tensor | None = None,
        memory: Memory | None = None,
        past: KeyValues | None = None,
        weights: list[Tensor] | None = None,
        cross_weights: list[Tensor] | None = None,
    ) -> Float[Tensor, "tokens width"]:
        """All tokens at once; `past` is filled and attention weights are appended where they are given."""

        def look(y: Tensor) -> Tensor:
            return self.attention(y, layout, bias=bias, past=past, weights=weights)  # type: ignore[no-any-return]

        def recall(y: Tensor) -> Tensor:
            return self.cross(y, layout, memory=memory, weights=cross_weights)  # type: ignore[no-any-return]

        return self._residuals(x, look, recall)

    def advance(
        self,
        x: Float[Tensor, "rows width"],
        at: Tensor,
        past: KeyValues,
        *,
        bias: Tensor | None = None,
        memory: KeyValues | None = None,
        memory_mask: Tensor | None = None,
    ) -> Float[Tensor, "rows width"]:
        """One more token for every row, which stands at its cell `at` of the past."""

        def look(y: Tensor) -> Tensor:
            return self.attention.advance(y, at, past, bias)

        def recall(y: Tensor) -> Tensor:
            assert memory is not None
            return self.cross.recall(y, memory, memory_mask)

        return self._residuals(x, look, recall)

    def _residuals(
        self, x: Tensor, look: Callable[[Tensor], Tensor], recall: Callable[[Tensor], Tensor]
    ) -> Tensor:
        steps: list[tuple[Callable[[Tensor], Tensor], nn.Module]] = [
            (look, self.attention_norm),
            (self.ffn, self.ffn_norm),
        ]
        if self.crosses:
            steps.insert(1, (recall, self.cross_norm))
        for step, norm in steps:
            x = x + self.dropout(step(norm(x))) if self.pre else norm(x + self.dropout(step(x)))
        return x
