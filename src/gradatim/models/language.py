"""Models that give scores over a vocabulary: of the next or a masked token, and of a second sequence."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

from jaxtyping import Float, Int
from torch import Tensor, nn

from gradatim.errors import ConfigError
from gradatim.models.backbone import Backbone, BackboneConfig, fewer_blocks
from gradatim.models.elmo import ElmoBackbone
from gradatim.models.heads import LanguageHead, MaskedHead, RowHead
from gradatim.models.recurrent import RecurrentBackbone, WindowBackbone
from gradatim.nn.block import Block
from gradatim.nn.multihead import Memory
from gradatim.nn.packed import Layout
from gradatim.nn.recurrent import RecurrentState
from gradatim.nn.stack import Trace
from gradatim.nn.state import DecodeState

Body = Backbone | RecurrentBackbone | WindowBackbone
State = Any  # DecodeState, RecurrentState or WindowState: that of the body


class LanguageModel(nn.Module):
    """A body and a head over its vocabulary: causal (LSTM, GPT) or masked (BERT), as the two are.

    `relation` scores whether a pair's second text follows the first, from the first token's state
    (Devlin et al. 2019, section 3.1, task 2); it is the objective that calls it.
    """

    def __init__(
        self, body: Body | ElmoBackbone, head: LanguageHead | MaskedHead, relation: RowHead | None = None
    ) -> None:
        super().__init__()
        self.body = cast(Body, body)  # one that reads both ways is never run a token at a time
        self.head = head
        self.relation = relation

    def forward(
        self,
        ids: Int[Tensor, " tokens"],
        layout: Layout,
        segments: Int[Tensor, " tokens"] | None = None,
        trace: Trace | None = None,
    ) -> Float[Tensor, "tokens vocabulary"]:
        """Logits of every token."""
        return self.head(self.body(ids, layout, segments, trace))  # type: ignore[no-any-return]

    def begin(
        self, ids: Int[Tensor, " tokens"], layout: Layout
    ) -> tuple[Float[Tensor, "rows vocabulary"], State]:
        """Read the prompts; logits of each row's next token, and the state to go on from."""
        state = self.body.begin(layout.num_rows)
        states = self.body(ids, layout, state=state)
        last = layout.offsets + layout.lengths - 1
        return self.head(states.index_select(0, last)), state

    def advance(self, ids: Int[Tensor, " rows"], state: State) -> Float[Tensor, "rows vocabulary"]:
        """One more token for every row: the logits of the token after it."""
        return self.head(self.body.advance(ids, state))  # type: ignore[no-any-return]


@dataclass(slots=True)
class VectorState:
    """Where a text from a vector stands: the body's state, and what the head is told of each row's vector."""

    own: State
    told: Float[Tensor, "rows width"]

    @property
    def tensors(self) -> list[Tensor]:
        """All parts, one after the other."""
        return [*self.own.tensors, self.told]

    def reorder(self, rows: Int[Tensor, " kept"]) -> VectorState:
        return VectorState(self.own.reorder(rows), self.told.index_select(0, rows))


class VectorDecoder(LanguageModel):
    """A recurrent model that writes from a vector: one linear map of it is the first state, another is added to what
    the head reads before every word.

    As captions are written from images (Vinyals et al. 2015), but that the vector is the state and not a word, and is
    seen again at every step (Cho et al. 2014, section 2.2).
    """

    def __init__(self, body: RecurrentBackbone, head: LanguageHead, vector_width: int) -> None:
        super().__init__(body, head)
        self.sizes = [part.shape[-1] for part in body.begin(1).tensors]
        self.enter = nn.Linear(vector_width, sum(self.sizes))
        self.tell = nn.Linear(vector_width, body.config.output_width)

    def states(
        self,
        ids: Int[Tensor, " tokens"],
        layout: Layout,
        vectors: Float[Tensor, "rows vector"],
        trace: Trace | None = None,
    ) -> Float[Tensor, "tokens width"]:
        """What the head reads, of all tokens of a batch with a vector for each row."""
        state = self.start(vectors)
        read: Tensor = self.body(ids, layout, None, trace, state=state.own)
        return read + state.told[layout.rows]

    def start(self, vectors: Float[Tensor, "rows vector"]) -> VectorState:
        """The state before the first word of each row."""
        parts = iter(self.enter(vectors).float()[None].split(self.sizes, dim=-1))
        empty: State = self.body.begin(len(vectors))
        layers = [tuple(next(parts).contiguous() for _ in layer) for layer in empty.layers]
        return VectorState(RecurrentState(layers), self.tell(vectors))

    def advance(self, ids: Int[Tensor, " rows"], state: VectorState) -> Float[Tensor, "rows vocabulary"]:
        """One more token for every row: the logits of the token after it."""
        return self.head(self.body.advance(ids, state.own) + state.told)  # type: ignore[no-any-return]


class EncoderDecoder(nn.Module):
    """What reads a source and writes a target: `states` of all targets at once, or `begin` and `advance`."""

    head: LanguageHead

    def forward(
        self,
        source: Int[Tensor, " source"],
        source_layout: Layout,
        target: Int[Tensor, " target"],
        target_layout: Layout,
        trace: Trace | None = None,
    ) -> Float[Tensor, "target vocabulary"]:
        """Logits of the token after each target token; row i of the target reads row i of the source."""
        return self.head(self.states(source, source_layout, target, target_layout, trace))  # type: ignore[no-any-return]

    def states(
        self,
        source: Int[Tensor, " source"],
        source_layout: Layout,
        target: Int[Tensor, " target"],
        target_layout: Layout,
        trace: Trace | None = None,
    ) -> Float[Tensor, "target width"]:
        """What the head reads."""
        raise NotImplementedError

    def begin(self, source: Int[Tensor, " source"], layout: Layout) -> State:
        """Read the sources; the state to `advance` from, with the start token first."""
        raise NotImplementedError

    def advance(self, ids: Int[Tensor, " rows"], state: State) -> Float[Tensor, "rows vocabulary"]:
        """One more target token for every row: the logits of the token after it."""
        raise NotImplementedError


def refuse_two_vocabularies(encoder: Any, decoder: Any) -> None:
    """Raises ConfigError for configurations of two sides that cannot have the same word vectors."""
    ours, theirs = ((side.vocab_size, side.width) for side in (encoder, decoder))
    if ours != theirs:
        raise ConfigError(
            "shared word vectors need sides of one vocabulary and one width: the encoder has {} words, {} wide, "
            "the decoder {}, {} wide".format(*ours, *theirs)
        )


class Seq2Seq(EncoderDecoder):
    """An encoder, a decoder that attends to it, and a head over the decoder's vocabulary (Vaswani et al. 2017).

    With `shared` both sides have the encoder's word vectors.
    """

    def __init__(
        self,
        encoder: BackboneConfig,
        decoder: BackboneConfig,
        *,
        shared: bool = True,
        tied: bool = True,
        head_bias: bool = False,
        head_scale: float = 1.0,
    ) -> None:
        super().__init__()
        if not (decoder.block.cross and decoder.block.causal):
            raise ConfigError(
                "the decoder's block must be causal and have cross-attention: see presets.decoder"
            )
        self.encoder = Backbone(encoder)
        self.decoder = Backbone(decoder)
        if shared:
            refuse_two_vocabularies(encoder, decoder)
            self.decoder.embedding.words = self.encoder.embedding.words
        self.head = LanguageHead(
            decoder.width,
            decoder.embedding.vocab_size,
            words=self.decoder.embedding.words if tied else None,
            bias=head_bias,
            scale=head_scale,
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
        memory = Memory.of(self.encoder(source, source_layout), source_layout, target_layout)
        return self.decoder(target, target_layout, trace=trace, memory=memory)  # type: ignore[no-any-return]

    def begin(self, source: Int[Tensor, " source"], layout: Layout) -> DecodeState:
        """Read the sources; the state to `advance` from, with the start token first."""
        return self.decoder.stack.begin(layout.num_rows, (self.encoder(source, layout), layout))

    def advance(self, ids: Int[Tensor, " rows"], state: DecodeState) -> Float[Tensor, "rows vocabulary"]:
        """One more target token for every row: the logits of the token after it."""
        return self.head(self.decoder.advance(ids, state))  # type: ignore[no-any-return]


def start_from(model: Seq2Seq, body: Backbone) -> None:
    """Give both sides the weights of a pretrained encoder, the decoder those of evenly spaced blocks (Rothe, Narayan &
    Severyn 2020, section 3).

    Differs: attention to the source begins as that of the block to its own row, in place of fresh: it learns sooner.
    """
    model.encoder.load_state_dict(body.state_dict())
    model.decoder.load_state_dict(
        fewer_blocks(body, model.decoder.config.num_layers).state_dict(), strict=False
    )
    for block in cast(Iterable[Block], model.decoder.stack.blocks):
        block.cross.load_state_dict(block.attention.crossed())
