"""Recurrent encoder-decoders: through one vector, or with attention to the states of the source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from gradatim.errors import ConfigError, check_shares, check_sizes
from gradatim.models.heads import LanguageHead
from gradatim.models.language import EncoderDecoder, refuse_two_vocabularies
from gradatim.models.recurrent import RecurrentConfig
from gradatim.nn.cells import step
from gradatim.nn.dropout import Dropout
from gradatim.nn.packed import Layout
from gradatim.nn.recurrent import Cell, Recurrent, RecurrentState, inverse, time_order
from gradatim.nn.scorer import Score, Scorer
from gradatim.nn.stack import Trace

Place = Literal["none", "before", "after"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentiveConfig:
    """A recurrent decoder, and where it looks at the source.

    place  "before" a step: the context is read with the word (Bahdanau et al. 2015); "after" it: the context joins what
           the step has made (Luong et al. 2015); "none": only its first state knows the source (Cho et al. 2014)
    score  see `nn.scorer`
    """

    vocab_size: int
    width: int
    hidden_width: int
    num_layers: int = 1
    cell: Cell = "gru"
    dropout: float = 0.0
    place: Place = "before"
    score: Score = "additive"

    def __post_init__(self) -> None:
        for name, known in (("cell", get_args(Cell)), ("place", get_args(Place)), ("score", get_args(Score))):
            if getattr(self, name) not in known:
                raise ConfigError(f"unknown {name} '{getattr(self, name)}'; known: {', '.join(known)}")
        check_sizes(self, "vocab_size", "width", "hidden_width", "num_layers")
        check_shares(self, "dropout")

    @property
    def longest(self) -> None:
        """A text has as many tokens as it likes."""
        return None


@dataclass(slots=True)
class AttentiveState:
    """The decoder's states, and the source that they look at; `attention` (rows, source) is what the last step saw."""

    recurrent: RecurrentState
    memory: Float[Tensor, "rows source memory"]
    keys: Float[Tensor, "rows source query"]
    mask: Bool[Tensor, "rows 1 source"] | None
    attention: Float[Tensor, "rows source"] | None = None

    def reorder(self, rows: Int[Tensor, " kept"]) -> AttentiveState:
        """The state of these rows, which may come back more than once or not at all."""
        mask = None if self.mask is None else self.mask.index_select(0, rows)
        memory, keys = (part.index_select(0, rows) for part in (self.memory, self.keys))
        return AttentiveState(self.recurrent.reorder(rows), memory, keys, mask)

    def first(self, count: int) -> AttentiveState:
        """The state of so many rows, without a copy."""
        layers = [tuple(part[:, :count] for part in layer) for layer in self.recurrent.layers]
        mask = None if self.mask is None else self.mask[:count]
        return AttentiveState(RecurrentState(layers), self.memory[:count], self.keys[:count], mask)


class RecurrentSeq2Seq(EncoderDecoder):
    """A recurrent encoder, a decoder whose first state is made of the encoder's last, and a head.

    Word vectors of both sides are read scaled if the encoder's are. Differs from the papers: the first state is a
    linear map of both directions' last states, for every layer; what the head reads is tanh(W [context; state])
    (Luong et al. 2015, eq. 5) wherever the context comes from.
    """

    def __init__(
        self, encoder: RecurrentConfig, decoder: AttentiveConfig, *, shared: bool = False, bias: bool = True
    ) -> None:
        super().__init__()
        self.config = decoder
        self.encoder = encoder.build()
        memory = self.encoder.recurrent.width
        looks = decoder.place != "none"
        self.words = nn.Embedding(decoder.vocab_size, decoder.width)
        nn.init.uniform_(self.words.weight, -encoder.init, encoder.init)
        self.scale = encoder.scale
        if shared:
            refuse_two_vocabularies(encoder, decoder)
            self.words = self.encoder.embedding.words
        self.recurrent = Recurrent(
            decoder.cell, decoder.width + memory * (decoder.place == "before"), decoder.hidden_width,
            num_layers=decoder.num_layers, dropout=decoder.dropout,
        )  # fmt: skip
        self.scorer = Scorer(decoder.score, decoder.hidden_width, memory) if looks else None
        self.sizes = [part.shape[-1] for part in self.recurrent.begin(1).tensors]
        self.enter = nn.Linear(memory, sum(self.sizes))
        self.join = nn.Linear(decoder.hidden_width + memory * looks, decoder.width)
        self.dropout = Dropout(decoder.dropout)
        self.head = LanguageHead(decoder.width, decoder.vocab_size, words=self.words, bias=bias)

    def states(
        self,
        source: Int[Tensor, " source"],
        source_layout: Layout,
        target: Int[Tensor, " target"],
        target_layout: Layout,
        trace: Trace | None = None,
    ) -> Float[Tensor, "target width"]:
        """What the head reads; `trace` gets the weights of every token, (rows, 1, target, source)."""
        state = self.begin(source, source_layout)
        x = self.dropout(self.words(target) * self.scale)
        if self.config.place == "before":
            return self._step_by_step(x, target_layout, state, trace)
        h = self.recurrent(x, target_layout, state.recurrent)
        if self.scorer is None:
            return self.dropout(torch.tanh(self.join(h)))  # type: ignore[no-any-return]
        whole = target_layout.whole()
        context, weights = self.scorer(whole.take(h), state.keys, state.memory, state.mask)
        _trace(trace, weights)
        return self._joined(h, whole.put(context))

    def begin(self, source: Int[Tensor, " source"], layout: Layout) -> AttentiveState:
        """Read the sources; the state to `advance` from, with the start token first."""
        ends = self.encoder.begin(layout.num_rows)
        flat = self.encoder(source, layout, state=ends)
        last = torch.cat(list(ends.layers[-1][0]), dim=-1)
        parts = iter(torch.split(torch.tanh(self.enter(last)).float()[None], self.sizes, dim=-1))
        empty = self.recurrent.begin(layout.num_rows)
        first = RecurrentState([tuple(next(parts).contiguous() for _ in layer) for layer in empty.layers])
        whole = layout.whole()
        memory = whole.take(flat)
        keys = memory if self.scorer is None else self.scorer.keys(memory)
        return AttentiveState(first, memory, keys, None if whole.mask is None else whole.mask[:, 0])

    def advance(self, ids: Int[Tensor, " rows"], state: AttentiveState) -> Float[Tensor, "rows vocabulary"]:
        """One more target token for every row: the logits of the token after it."""
        return self.head(self._step(self.words(ids) * self.scale, state))  # type: ignore[no-any-return]

    def _step(self, x: Float[Tensor, "rows width"], state: AttentiveState) -> Float[Tensor, "rows width"]:
        """One token of every row; the state moves on by it."""
        context = None
        if self.scorer is not None and self.config.place == "before":
            above = state.recurrent.layers[-1][0][0]
            context = self._look(above, state)
            x = torch.cat([x, context], dim=-1)
        after = []
        for depth, (layer, before) in enumerate(
            zip(self.recurrent.layers, state.recurrent.layers, strict=True)
        ):
            x = self.dropout(x) if depth else x
            new = _advance(self.config.cell, layer, x, tuple(part[0] for part in before))
            after.append(tuple(part[None] for part in new))
            x = new[0]
        state.recurrent = RecurrentState(after)
        if self.scorer is not None and context is None:
            context = self._look(x, state)
        return self._joined(x, context)

    def _look(self, query: Tensor, state: AttentiveState) -> Tensor:
        assert self.scorer is not None
        context, weights = self.scorer(
            query[:, None].to(state.keys.dtype), state.keys, state.memory, state.mask
        )
        state.attention = weights[:, 0]
        return context[:, 0]  # type: ignore[no-any-return]

    def _joined(self, h: Tensor, context: Tensor | None) -> Tensor:
        both = h if context is None else torch.cat([context, h.to(context.dtype)], dim=-1)
        return self.dropout(torch.tanh(self.join(both)))  # type: ignore[no-any-return]

    def _step_by_step(
        self, x: Float[Tensor, "tokens width"], layout: Layout, state: AttentiveState, trace: Trace | None
    ) -> Float[Tensor, "tokens width"]:
        """All tokens, those of the same place of all rows together: the longest rows first, so that the rows that go
        on are always the first ones."""
        by_time, sizes, longest_first = time_order(layout)
        state, steps = state.reorder(longest_first), torch.split(x.index_select(0, by_time), sizes.tolist())
        found, looked = [], []
        for now in steps:
            if len(now) < len(state.memory):
                state = state.first(len(now))
            found.append(self._step(now, state))
            if trace is not None and state.attention is not None:
                missing = len(longest_first) - len(now)
                looked.append(nn.functional.pad(state.attention, (0, 0, 0, missing)))
        if looked:
            _trace(trace, torch.stack(looked, dim=1).index_select(0, inverse(longest_first)))
        return torch.cat(found).index_select(0, inverse(by_time))


def _advance(cell: Cell, layer: Any, x: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """One layer's next state."""
    read = nn.functional.linear(x, layer.weight_ih_l0, layer.bias_ih_l0)
    kept = nn.functional.linear(state[0], layer.weight_hh_l0, layer.bias_hh_l0)
    return step(cell, read, kept, state)


def _trace(trace: Trace | None, weights: Tensor) -> None:
    if trace is not None and trace.weights is not None:
        trace.cross_weights.append([weights[:, None]])
