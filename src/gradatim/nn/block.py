"""The Transformer block."""

from __future__ import annotations

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor, nn

from gradatim.nn.axes import ACTIVATIONS, BlockConfig
from gradatim.nn.dropout import Dropout
from gradatim.nn.multihead import Attention, Memory
from gradatim.nn.packed import Layout
from gradatim.nn.state import KeyValues


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
