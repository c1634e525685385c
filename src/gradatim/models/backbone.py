"""An embedding and a stack: the body of every Transformer, encoder or decoder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor, nn

from gradatim.errors import ConfigError, check_sizes
from gradatim.nn.axes import BlockConfig
from gradatim.nn.embedding import Embedding, EmbeddingConfig
from gradatim.nn.initial import init_by_width, init_normal
from gradatim.nn.multihead import Memory
from gradatim.nn.packed import Layout
from gradatim.nn.stack import Stack, Trace
from gradatim.nn.state import DecodeState


@dataclass(frozen=True, slots=True, kw_only=True)
class BackboneConfig:
    """What a token is made of (`embedding`), what each layer does (`block`), and how many there are.

    `buckets` and `max_distance` describe a relative bias that all layers share (0 buckets: none);
    `final_norm` closes a pre-norm stack. Fresh weights have the standard deviation `init_std`, or, if None, each
    the one that keeps states at their size.
    """

    embedding: EmbeddingConfig
    block: BlockConfig
    num_layers: int
    buckets: int = 0
    max_distance: int = 128
    final_norm: bool = False
    init_std: float | None = 0.02

    def __post_init__(self) -> None:
        if self.embedding.width != self.block.width:
            raise ConfigError(f"embedding width {self.embedding.width} is not block width {self.block.width}")
        check_sizes(self, "num_layers")

    @property
    def width(self) -> int:
        return self.block.width

    @property
    def max_length(self) -> int:
        return self.embedding.max_length

    @property
    def longest(self) -> int | None:
        """The most tokens of a row; None where there is no limit, as positions are not told by a table."""
        return None if self.embedding.positions == "none" else self.max_length

    @property
    def vocab_size(self) -> int:
        return self.embedding.vocab_size

    @property
    def marks(self) -> Mapping[str, int]:
        return self.embedding.marks

    @property
    def output_width(self) -> int:
        """Of the states that a head reads."""
        return self.width

    @property
    def depth(self) -> int:
        """Of the layers that a trace shows above the embedding."""
        return self.num_layers

    @property
    def causal(self) -> bool:
        """Whether a token sees only what is before it."""
        return self.block.causal

    def build(self) -> Backbone:
        """The body with fresh weights."""
        return Backbone(self)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> BackboneConfig:
        """The inverse of `to_dict`; raises TypeError on a field that does not exist."""
        parts = {"embedding": EmbeddingConfig(**fields["embedding"]), "block": BlockConfig(**fields["block"])}
        return cls(**{**fields, **parts})


class Backbone(nn.Module):
    """Token ids in, one hidden state per token out. It has no head and no loss."""

    def __init__(self, config: BackboneConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = Embedding(config.embedding)
        self.stack = Stack(
            config.block,
            config.num_layers,
            buckets=config.buckets,
            max_distance=config.max_distance,
            final_norm=config.final_norm,
        )
        if config.init_std is None:
            init_by_width(self, self.embedding.words, scaled=config.embedding.scaled)
        else:
            init_normal(self, config.init_std)

    def forward(
        self,
        ids: Int[Tensor, " tokens"],
        layout: Layout,
        segments: Int[Tensor, " tokens"] | None = None,
        trace: Trace | None = None,
        *,
        memory: Memory | None = None,
        state: DecodeState | None = None,
        marks: Mapping[str, Tensor] | None = None,
    ) -> Float[Tensor, "tokens width"]:
        """States of all tokens of a packed batch; a `state` is filled so that `advance` can go on from it."""
        x = self.embedding(ids, layout, segments, marks)
        if trace is not None:
            trace.hidden.append(x)
        return self.stack(x, layout, memory=memory, trace=trace, state=state)  # type: ignore[no-any-return]

    def begin(self, num_rows: int) -> DecodeState:
        """The state before anything was read."""
        return self.stack.begin(num_rows)

    def advance(self, ids: Int[Tensor, " rows"], state: DecodeState) -> Float[Tensor, "rows width"]:
        """One more token for every row; the state moves on by it."""
        return self.stack.advance(self.embedding.at(ids, state.lengths), state)


def fewer_blocks(body: Backbone, num_layers: int) -> Backbone:
    """A smaller network of evenly spaced blocks of `body`, always with its last one (Sanh et al. 2019, section 3).

    A larger one has each of them several times.
    """
    depth = body.config.num_layers
    chosen = np.linspace(0, depth, num_layers + 1)[1:].round().astype(int) - 1
    if num_layers > depth:
        chosen = np.arange(num_layers) * depth // num_layers
    student = Backbone(replace(body.config, num_layers=num_layers))
    kept = {name: part for name, part in body.state_dict().items() if not name.startswith("stack.blocks.")}
    for ours, theirs in enumerate(chosen):
        block = body.stack.blocks[theirs].state_dict()
        kept |= {f"stack.blocks.{ours}.{name}": part for name, part in block.items()}
    student.load_state_dict(kept)
    return student
