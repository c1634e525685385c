"""Encoder-decoders of convolutions: what lies between recurrent ones and the Transformer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from gradatim.errors import ConfigError, check_shares, check_sizes
from gradatim.models.heads import LanguageHead
from gradatim.models.language import EncoderDecoder, refuse_two_vocabularies
from gradatim.nn.convolution import HALF, GatedStack, Source
from gradatim.nn.dropout import Dropout
from gradatim.nn.embedding import Embedding, EmbeddingConfig
from gradatim.nn.packed import Layout
from gradatim.nn.stack import Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvolutionalConfig:
    """Word and position vectors of `width`, and the gated blocks that read them, all as wide.

    kernel  tokens of a window; so many blocks see num_layers * (kernel - 1) + 1 of them
    cross   a decoder's: a token sees only those before it, and every block attends to a source
    """

    vocab_size: int
    width: int
    num_layers: int = 4
    kernel: int = 3
    max_length: int = 512
    cross: bool = False
    dropout: float = 0.1

    def __post_init__(self) -> None:
        check_sizes(self, "vocab_size", "width", "num_layers", "kernel", "max_length")
        check_shares(self, "dropout")

    @property
    def causal(self) -> bool:
        """Whether a token sees none of those after it."""
        return self.cross

    @property
    def longest(self) -> int:
        """The most tokens of a row: each place has a vector."""
        return self.max_length

    @property
    def output_width(self) -> int:
        """Of the states that a head reads."""
        return self.width

    @property
    def depth(self) -> int:
        """Of the layers that a trace shows above the embedding."""
        return self.num_layers

    def decoder(self, num_layers: int | None = None) -> ConvolutionalConfig:
        """The same as a decoder, of as many blocks unless told otherwise."""
        return replace(self, cross=True, num_layers=num_layers or self.num_layers)

    def build(self) -> ConvolutionalBackbone:
        """The body with fresh weights."""
        return ConvolutionalBackbone(self)


@dataclass(slots=True)
class ConvolutionalState:
    """What decoding remembers: the last kernel - 1 inputs of each block, the `source`, and how many tokens were read.

    `attention` (rows, source) is what the last step saw, the mean over blocks.
    """

    past: list[Float[Tensor, "rows before width"]]
    source: Source
    length: int = 0
    attention: Float[Tensor, "rows source"] | None = None

    def reorder(self, rows: Int[Tensor, " kept"]) -> ConvolutionalState:
        """The state of these rows, which may come back more than once or not at all."""
        past = [part.index_select(0, rows) for part in self.past]
        return ConvolutionalState(past, self.source.reorder(rows), self.length)


class ConvolutionalBackbone(nn.Module):
    """Word and position vectors read by gated convolutions (Gehring et al. 2017, sections 3.1 and 3.2)."""

    def __init__(self, config: ConvolutionalConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = Embedding(
            EmbeddingConfig(
                vocab_size=config.vocab_size, width=config.width, max_length=config.max_length,
                dropout=config.dropout,
            )
        )  # fmt: skip
        for table in (self.embedding.words, self.embedding.positions):
            nn.init.normal_(table.weight, std=0.1)  # section 3.5
        self.stack = GatedStack(
            config.width, config.kernel, config.num_layers, cross=config.cross, dropout=config.dropout
        )

    def forward(
        self,
        ids: Int[Tensor, " tokens"],
        layout: Layout,
        segments: Tensor | None = None,
        trace: Trace | None = None,
        *,
        sources: Sequence[Source] = (),
    ) -> Float[Tensor, "tokens width"]:
        """States of all tokens of a packed batch; `sources` of a decoder are those of the layout's groups."""
        return self.stack(self.embedding(ids, layout), layout, sources=sources, trace=trace)  # type: ignore[no-any-return]

    def remember(self, ids: Int[Tensor, " tokens"], layout: Layout) -> tuple[Tensor, Tensor]:
        """What a decoder looks at, (tokens, width) each: states z as keys, and z + e as values (eq. 2).

        Values are multiplied by sqrt(m), m the length of their row, as a mean of m has 1 / m of their variance
        (section 3.4).
        """
        embedded = self.embedding(ids, layout)
        states = self.stack(embedded, layout)
        scale = HALF * layout.lengths[layout.rows, None].sqrt()
        return states, ((states + embedded) * scale).to(states.dtype)

    def begin(self, source: Source) -> ConvolutionalState:
        """The state of a decoder that has read nothing: zeros, as before the beginning of a row."""
        config = self.config
        zeros = source.keys.new_zeros(len(source.keys), config.kernel - 1, config.width)
        return ConvolutionalState([zeros] * config.num_layers, source)

    def advance(self, ids: Int[Tensor, " rows"], state: ConvolutionalState) -> Float[Tensor, "rows width"]:
        """One more token for every row of a decoder; the state moves on by it."""
        embedded = self.embedding.at(ids, torch.full_like(ids, state.length))
        x, state.past, state.attention = self.stack.advance(embedded, state.past, state.source)
        state.length += 1
        return x


class ConvolutionalSeq2Seq(EncoderDecoder):
    """An encoder of gated convolutions, a causal decoder each of whose blocks attends to it, and a head
    (Gehring et al. 2017, "Convolutional Sequence to Sequence Learning").

    Differs: weights are not normalised (Salimans & Kingma 2016), and gradients of the encoder are not divided by the
    number of attentions (section 3.4), as AdamW divides each by its size. Word vectors are as wide as states.
    """

    def __init__(
        self,
        encoder: ConvolutionalConfig,
        decoder: ConvolutionalConfig,
        *,
        shared: bool = True,
        tied: bool = True,
        bias: bool = False,
    ) -> None:
        super().__init__()
        if encoder.cross or not decoder.cross:
            raise ConfigError("the decoder attends to the encoder: see ConvolutionalConfig.decoder")
        if encoder.width != decoder.width:
            raise ConfigError(f"the encoder's width {encoder.width} is not the decoder's {decoder.width}")
        self.encoder, self.decoder = encoder.build(), decoder.build()
        if shared:
            refuse_two_vocabularies(encoder, decoder)
            self.decoder.embedding.words = self.encoder.embedding.words
        self.dropout = Dropout(decoder.dropout)
        self.head = LanguageHead(
            decoder.width, decoder.vocab_size, words=self.decoder.embedding.words if tied else None, bias=bias
        )

    def states(
        self,
        source: Int[Tensor, " source"],
        source_layout: Layout,
        target: Int[Tensor, " target"],
        target_layout: Layout,
        trace: Trace | None = None,
    ) -> Float[Tensor, "target width"]:
        """What the head reads."""
        memory = self.encoder.remember(source, source_layout)
        sources = [Source.of(*memory, group) for group in source_layout.regroup(target_layout.groups)]
        return self.dropout(self.decoder(target, target_layout, trace=trace, sources=sources))  # type: ignore[no-any-return]

    def begin(self, source: Int[Tensor, " source"], layout: Layout) -> ConvolutionalState:
        """Read the sources; the state to `advance` from, with the start token first."""
        return self.decoder.begin(Source.of(*self.encoder.remember(source, layout), layout.whole()))

    def advance(
        self, ids: Int[Tensor, " rows"], state: ConvolutionalState
    ) -> Float[Tensor, "rows vocabulary"]:
        """One more target token for every row: the logits of the token after it."""
        return self.head(self.decoder.advance(ids, state))  # type: ignore[no-any-return]
