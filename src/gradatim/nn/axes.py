"""Every axis along which papers vary the Transformer block."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gradatim.errors import ConfigError, check_shares, check_sizes, did_you_mean

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
        check_sizes(self, "width", "num_heads", "ffn_width")
        check_shares(self, "dropout", "attention_dropout", "activation_dropout")
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
