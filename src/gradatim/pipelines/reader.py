"""A model that reads texts, as the tasks see it, and the tasks' common way of reading with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import asdict, dataclass, field
from typing import Any, cast

from tokenizers import Tokenizer

from gradatim.engine.manifest import JSON
from gradatim.errors import ConfigError
from gradatim.pipelines.calls import WHOLE, Pipeline, at_least
from gradatim.text.grids import GridConfig, GridEncoder
from gradatim.text.pieces import PieceEncoder
from gradatim.types import KINDS, Array, Arrays, Encoded, Encoder, Kind, Session, Task

CUTS = (True, "longest_first", "only_first", "only_second")
READ = {"pretraining": "masked"}  # what a kind of model is read as
STRIDE = 128  # tokens that neighbouring windows share, at most; a fourth of a short window


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """A model and what a task must know of it.

    kind         what it was made for: "classification", "tagging", "span", "masked", "choice", "table", "body"
    labels       of its outputs
    pairs        whether it reads pairs of texts or single ones; None where either may be
    problem      "regression", "multi_label_classification" or "", one label of several
    temperature  logits are divided by it
    tokenizer    tokenizer.json as text, None for a model that reads no pieces
    mask         the token that stands for a missing word, if there is one
    cleans       written tokens are joined without the spaces before punctuation
    grids, grid  of a model of tables: its encoder, and how it answers
    decision     what its file says of how logits become answers
    """

    kind: str
    session: Session
    encoder: Encoder
    labels: tuple[str, ...] = ()
    pairs: bool | None = None
    problem: str = ""
    temperature: float = 1.0
    tokenizer: str | None = None
    mask: str | None = None
    cleans: bool = False
    grids: GridEncoder | None = None
    grid: GridConfig | None = None
    decision: Mapping[str, Any] = field(default_factory=dict)

    @property
    def task(self) -> Task:
        """What the file of such a model says of it."""
        kind = "regression" if self.problem == "regression" else READ.get(self.kind, self.kind)
        if kind not in KINDS:
            raise ConfigError(f"a model of kind '{kind}' cannot become one file so far")
        several = self.problem == "multi_label_classification"
        named = self.kind in ("classification", "tagging", "table")
        return Task(self.labels if named else (), several, bool(self.pairs), cast(Kind, kind))

    @property
    def settings(self) -> dict[str, JSON]:
        """What the file of such a model says of its encoder, and of how the model is read."""
        more: dict[str, JSON] = {"mask": self.mask, "cleans": self.cleans, "either": self.pairs is None}
        if self.grids is not None and self.grid is not None:
            more |= {"marks": dict(self.grids.sizes), "grid": asdict(self.grid)}
        return {**self.pieces.settings(), **more}

    @property
    def pieces(self) -> PieceEncoder:
        """The encoder, where only one of word pieces will do; raises ConfigError for another."""
        if not isinstance(self.encoder, PieceEncoder):
            raise ConfigError("this model reads no word pieces, which the task needs")
        return self.encoder

    def encoder_for(self, max_length: int | None, stride: int | None, truncate: bool) -> Encoder:
        """The encoder with these settings, its own where they are None.

        Rows are never longer than the model can read, and share at most half of what they hold; more that is asked for
        stands for that. A model without word pieces leaves nothing out.
        """
        own = self.encoder
        if not isinstance(own, PieceEncoder) or self.tokenizer is None:
            return own
        length = min(max_length or own.max_length, own.max_length)
        share = own.stride if length == own.max_length else shared(length)
        if stride is not None:
            share = at_least("stride", stride, 0)
            if share >= (room := own.room + length - own.max_length):
                raise ConfigError(
                    f"windows that hold {room} tokens cannot share {share}: stride must be less"
                )
        if (most := own.shareable(length)) < 0:
            raise ConfigError(f"max_length {length} leaves no room beside the special tokens of a pair")
        encoder = copy(own)  # with the same tokenizer: a second one is megabytes, and every call may ask anew
        encoder.max_length, encoder.stride, encoder.truncate = length, max(0, min(share, most)), truncate
        return encoder


class ReadingPipeline(Pipeline):
    """A task over a model that reads."""

    def __init__(self, reader: Reader, **options: Any) -> None:
        self.reader = reader
        super().__init__(**options)

    def read(
        self,
        texts: Sequence[str],
        pairs: Sequence[str] | None = None,
        *,
        truncation: Any = None,
        max_length: int | None = None,
        stride: int | None = None,
        **more: bool,
    ) -> tuple[Encoded, list[int | None]]:
        """Texts as rows, long ones in windows, and of each how many tokens were left out; None where none may be."""
        truncate = truncates(truncation)
        if max_length is not None:
            at_least("max_length", max_length, 1)
        encoder: Any = self.reader.encoder_for(max_length, stride, truncate)
        if not truncate:
            encoded = encoder.encode(texts, pairs, **more)
            return encoded, [None] * len(texts)
        each = [
            encoder.encode([text], None if pairs is None else [pairs[row]], **more)
            for row, text in enumerate(texts)
        ]
        encoded = Encoded.together(each)
        self.cut_tokens += encoded.cut
        return encoded, [one.cut for one in each]

    def run(self, encoded: Encoded, **more: Array) -> Arrays:
        """What the model says of rows."""
        return self.reader.session.run({**encoded.arrays, **more})

    def vocabulary(self) -> Tokenizer:
        """The tokenizer, to name and to write its tokens."""
        return self.reader.pieces.tokenizer


def clean(text: str) -> str:
    """Written tokens without the spaces that tokenizers put before punctuation and the endings of English words."""
    marks = (" .", " ?", " !", " ,", " n't", " 'm", " 's", " 've", " 're")
    for mark in marks[:4]:
        text = text.replace(mark, mark[1:])
    text = text.replace(" ' ", "'")
    for mark in marks[4:]:
        text = text.replace(mark, mark[1:])
    return text


def shared(max_length: int) -> int:
    """How many tokens windows of this length share."""
    return min(STRIDE, max_length // 4)


def truncates(truncation: Any, cuts: tuple[Any, ...] = CUTS) -> bool:
    """Whether something may be left out; raises ConfigError for no known way to say so."""
    if truncation not in (*WHOLE, *cuts):
        raise ConfigError(f"truncation is True or False, not {truncation!r}")
    return truncation in cuts
