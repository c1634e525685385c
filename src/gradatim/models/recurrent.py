"""The bodies of language models before the Transformer: recurrent ones, and a window of words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from gradatim.errors import ConfigError, check_shares, check_sizes
from gradatim.nn.dropout import Dropout, LockedDropout, WordDropout
from gradatim.nn.embedding import Marks
from gradatim.nn.packed import Layout
from gradatim.nn.recurrent import Cell, Recurrent, RecurrentState
from gradatim.nn.stack import Trace


class _OneWay:
    """What configurations of bodies share that read a text of any length from its beginning on."""

    __slots__ = ()
    longest: ClassVar[None] = None  # a row has as many tokens as it likes
    depth: ClassVar[int] = 1  # a trace shows the embedding and the end

    @property
    def causal(self) -> bool:
        """Whether a token sees none of those after it."""
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class RecurrentConfig(_OneWay):
    """Word vectors read by a stack of recurrent layers.

    The last layer is as wide as the word vectors (`width`), so that output and input may be one matrix;
    those before it have `hidden_width`. A `bidirectional` stack (Graves & Schmidhuber 2005) has `hidden_width` each
    way in all layers. `scaled` vectors are multiplied by sqrt(width) when they are read, so that a table small enough
    to be an output too is large enough to be an input (Vaswani et al. 2017, section 3.4). `dropout` is that of word
    vectors and of what the head reads, `hidden_dropout` that between layers, `word_dropout` that of whole words; all
    are `locked` over a row unless told otherwise. `marks` are what is told of words besides, each with its number of
    values.
    """

    vocab_size: int
    width: int
    hidden_width: int
    num_layers: int = 1
    cell: Cell = "lstm"
    dropout: float = 0.0
    hidden_dropout: float = 0.0
    word_dropout: float = 0.0
    weight_drop: float = 0.0
    init: float = 0.05  # word vectors are drawn from -init to init
    bidirectional: bool = False
    locked: bool = True
    scaled: bool = False
    marks: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.cell not in get_args(Cell):
            raise ConfigError(f"unknown cell '{self.cell}'; known: {', '.join(get_args(Cell))}")
        check_sizes(self, "vocab_size", "width", "hidden_width", "num_layers")
        check_shares(self, "dropout", "hidden_dropout", "word_dropout", "weight_drop")

    @property
    def causal(self) -> bool:
        return not self.bidirectional

    @property
    def output_width(self) -> int:
        """Of the states that a head reads."""
        return 2 * self.hidden_width if self.bidirectional else self.width

    @property
    def scale(self) -> float:
        """Of word vectors when they are read."""
        return math.sqrt(self.width) if self.scaled else 1.0

    def build(self) -> RecurrentBackbone:
        """The body with fresh weights."""
        return RecurrentBackbone(self)


class RecurrentBackbone(nn.Module):
    """RNN, GRU, LSTM and AWD-LSTM as language models read text (Mikolov et al. 2010; Zaremba et al. 2014; Merity
    et al. 2018)."""

    def __init__(self, config: RecurrentConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = _Words(config.vocab_size, config.width, config.init, config.marks)
        self.word_dropout = WordDropout(config.word_dropout)
        self.dropout = LockedDropout(config.dropout) if config.locked else Dropout(config.dropout)
        self.recurrent = Recurrent(
            config.cell, config.width, config.hidden_width, num_layers=config.num_layers,
            last_width=None if config.bidirectional else config.width, bidirectional=config.bidirectional,
            dropout=config.hidden_dropout, locked=config.locked, weight_drop=config.weight_drop,
        )  # fmt: skip

    def forward(
        self,
        ids: Int[Tensor, " tokens"],
        layout: Layout,
        segments: Tensor | None = None,
        trace: Trace | None = None,
        *,
        state: RecurrentState | None = None,
        marks: Mapping[str, Tensor] | None = None,
    ) -> Float[Tensor, "tokens width"]:
        """States of all tokens of a packed batch; with a `state` rows go on from it, and it is set to their ends."""
        words = self.word_dropout(self.embedding.words(ids) * self.config.scale, ids)
        x = self._drop(self.embedding.marks.added(words, ids, marks), layout)
        if trace is not None:
            trace.hidden.append(x)
        x = self.recurrent(x, layout, state)
        if trace is not None:
            trace.hidden.append(x)
        return self._drop(x, layout)

    def _drop(self, x: Float[Tensor, "tokens width"], layout: Layout) -> Float[Tensor, "tokens width"]:
        dropped: Tensor = self.dropout(x, layout.rows) if self.config.locked else self.dropout(x)
        return dropped

    def begin(self, num_rows: int) -> RecurrentState:
        """The state before anything was read."""
        return self.recurrent.begin(num_rows)

    def advance(self, ids: Int[Tensor, " rows"], state: RecurrentState) -> Float[Tensor, "rows width"]:
        """One more token for every row; the state moves on by it."""
        return self(ids, Layout.of([1] * len(ids)).to(ids.device), state=state)  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowConfig(_OneWay):
    """A few words before, side by side: `context` vectors of `width` into one layer of `hidden_width`."""

    vocab_size: int
    width: int
    hidden_width: int
    context: int = 4
    dropout: float = 0.0
    init: float = 0.05

    def __post_init__(self) -> None:
        check_sizes(self, "vocab_size", "width", "hidden_width", "context")
        check_shares(self, "dropout")

    @property
    def output_width(self) -> int:
        """Of the states that a head reads."""
        return self.hidden_width

    def build(self) -> WindowBackbone:
        """The body with fresh weights."""
        return WindowBackbone(self)


@dataclass(slots=True)
class WindowState:
    """The last words of each row, the latest last; -1 where there was none."""

    words: Int[Tensor, "rows before"]

    @property
    def tensors(self) -> list[Tensor]:
        """All parts, one after the other."""
        return [self.words]

    def reorder(self, rows: Int[Tensor, " kept"]) -> WindowState:
        return WindowState(self.words.index_select(0, rows))

    def detach(self) -> WindowState:
        return self


class WindowBackbone(nn.Module):
    """tanh(d + H x), x being the vectors of the last words, one after the other (Bengio et al. 2003, eq. 1).

    The word itself is the last of them, as the head predicts the next one. Before the first word there are
    zeros. Differs: no direct connection from x to the output.
    """

    def __init__(self, config: WindowConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = _Words(config.vocab_size, config.width, config.init)
        self.dropout = LockedDropout(config.dropout)
        self.linear = nn.Linear(config.context * config.width, config.hidden_width)

    def forward(
        self,
        ids: Int[Tensor, " tokens"],
        layout: Layout,
        segments: Tensor | None = None,
        trace: Trace | None = None,
        *,
        state: WindowState | None = None,
    ) -> Float[Tensor, "tokens hidden"]:
        """States of all tokens of a packed batch; with a `state` rows go on from it, and it is set to their ends."""
        before = self.begin(layout.num_rows) if state is None else state
        windows = self._windows(ids, layout, before.words)
        if state is not None:
            state.words = windows[layout.offsets + layout.lengths - 1, 1:]
        vectors = self.embedding.words(windows.clamp(min=0)) * (windows >= 0)[..., None]
        hidden = torch.tanh(self.linear(self.dropout(vectors.flatten(1), layout.rows)))
        return self.dropout(hidden, layout.rows)  # type: ignore[no-any-return]

    def begin(self, num_rows: int) -> WindowState:
        """The state before anything was read."""
        empty = (num_rows, self.config.context - 1)
        return WindowState(torch.full(empty, -1, dtype=torch.long, device=self.linear.weight.device))

    def advance(self, ids: Int[Tensor, " rows"], state: WindowState) -> Float[Tensor, "rows hidden"]:
        """One more token for every row; the state moves on by it."""
        return self(ids, Layout.of([1] * len(ids)).to(ids.device), state=state)  # type: ignore[no-any-return]

    def _windows(self, ids: Tensor, layout: Layout, before: Tensor) -> Int[Tensor, "tokens context"]:
        """The words up to each token, its own last: from its row, and before that from the state."""
        size = self.config.context
        back = torch.arange(size - 1, -1, -1, device=ids.device)
        at = torch.arange(len(ids), device=ids.device)[:, None] - back
        inside = layout.positions[:, None] - back
        earlier = torch.cat([before.new_full((len(before), 1), -1), before], 1)  # column 0 only for context 1
        from_state = earlier[layout.rows[:, None], (inside + size).clamp(0, size - 1)]
        return torch.where(inside >= 0, ids[at.clamp(min=0)], from_state)


class _Words(nn.Module):
    """The table of word vectors, under the name that all bodies give it."""

    def __init__(
        self, vocab_size: int, width: int, init: float, marks: Mapping[str, int] | None = None
    ) -> None:
        super().__init__()
        self.words = nn.Embedding(vocab_size, width)
        self.marks = Marks(marks or {}, width, std=init)
        nn.init.uniform_(self.words.weight, -init, init)
