"""BERT (Devlin et al. 2019): an embedding and a post-norm stack, over packed batches."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from jaxtyping import Float, Int
from torch import Tensor, nn

from gradatim.nn.block import BlockConfig, Stack, Trace
from gradatim.nn.embedding import Embedding, init_normal
from gradatim.nn.packed import Layout


@dataclass(frozen=True, slots=True, kw_only=True)
class BertConfig:
    """Sizes of a BERT; the defaults are BERT base."""

    vocab_size: int = 30522
    num_layers: int = 12
    width: int = 768
    num_heads: int = 12
    ffn_width: int = 3072
    max_length: int = 512
    num_segments: int = 2
    activation: str = "gelu"
    norm_eps: float = 1e-12
    dropout: float = 0.1
    attention_dropout: float = 0.1

    def block(self) -> BlockConfig:
        return BlockConfig(
            width=self.width,
            num_heads=self.num_heads,
            ffn_width=self.ffn_width,
            activation=self.activation,
            norm_order="post",
            norm_eps=self.norm_eps,
            dropout=self.dropout,
            attention_dropout=self.attention_dropout,
        )

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


class Bert(nn.Module):
    """The encoder: token ids in, one hidden state per token out. It has no head and no loss."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = Embedding(
            config.vocab_size,
            config.width,
            max_length=config.max_length,
            num_segments=config.num_segments,
            norm_eps=config.norm_eps,
            dropout=config.dropout,
        )
        self.stack = Stack(config.block(), config.num_layers)
        init_normal(self)

    def forward(
        self,
        ids: Int[Tensor, " tokens"],
        layout: Layout,
        segments: Int[Tensor, " tokens"] | None = None,
        trace: Trace | None = None,
    ) -> Float[Tensor, "tokens width"]:
        x = self.embedding(ids, layout, segments)
        if trace is not None:
            trace.hidden.append(x)
        return self.stack(x, layout, trace)  # type: ignore[no-any-return]
