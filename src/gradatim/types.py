"""The records and protocols that travel between rooms: numpy only, no arithmetic, no files.

`Examples` and `Corpus` are labelled text. `Encoded` is text turned into packed arrays: flat values
plus `lengths`, never padding. An `Encoder` makes them and a `Session` maps them to logits; the torch
model in training and the exported file in production implement the same `Session`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, get_args

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Arrays = Mapping[str, Array]


Kind = Literal[
    "classification", "regression", "tagging", "span", "choice", "table", "masked", "body", "seq2seq", "causal"
]  # fmt: skip
KINDS: tuple[str, ...] = get_args(Kind)
# What is told of tokens of tables.
MARKS = (
    "columns",
    "rows",
    "previous",
    "ranks",
    "inverse_ranks",
    "relations",
)
CAPITALS = "capitals"  # what is told of tokens whose tokenizer makes all letters small: which were not
OUTSIDE = "O"  # the tag of a word that is in no entity


@dataclass(frozen=True, slots=True)
class Task:
    """What is predicted: the label names, one or several per text, of one text or of a pair.

    Other kinds than "classification" predict a number, a tag for each word, a span of a text, which of several texts is
    right, cells of a table and what to do with them, missing words, states of tokens, a text from another, the next
    word; of these only tags and what to do with cells have labels.
    """

    labels: tuple[str, ...]
    multi_label: bool = False
    pairs: bool = False
    kind: Kind = "classification"

    @property
    def writes(self) -> bool:
        """Whether a text is made from another."""
        return self.kind == "seq2seq"

    @property
    def marks_entities(self) -> bool:
        """Whether its tags say where entities begin and go on (IOB2), rather than what each word is."""
        return self.kind == "tagging" and all(
            tag == OUTSIDE or tag[:2] in ("B-", "I-") for tag in self.labels
        )


@dataclass(frozen=True, slots=True)
class Examples:
    """Labelled texts in columns.

    `targets` is int64 `(n,)` with class ids, float32 `(n, labels)` of zeros and ones when
    `Task.multi_label`, or str objects `(n,)` when `Task.writes`. For tags each text is its words with a space between
    (one inside a word is a no-break space), and its target, a str too, their tags. For spans it is a question, its pair
    the context, and its target, a str too, the places of the answers in it as JSON, [[start, end], ...]. For
    choices it is a context, its pair a question and the choices, a line each, and its target the number of the right
    one. `pairs` is None unless `Task.pairs`.
    """

    texts: Sequence[str]
    pairs: Sequence[str] | None
    targets: Array

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: Sequence[int] | Array) -> Examples:
        """The examples at `rows`, in that order."""
        return Examples(
            [self.texts[i] for i in rows],
            None if self.pairs is None else [self.pairs[i] for i in rows],
            self.targets[np.asarray(rows, dtype=np.int64)],
        )


@dataclass(frozen=True, slots=True)
class Corpus:
    """A labelled data set, split, with what was decided on the way (`notes`, said aloud)."""

    name: str
    task: Task
    train: Examples
    dev: Examples
    test: Examples | None
    notes: tuple[str, ...] = ()
    digest: str = ""  # sha256 over texts, pairs, targets and labels of all splits
    licence: str = "not stated"
    citation: str = ""


@dataclass(frozen=True, slots=True)
class Grid:
    """A table of texts: the names of its columns, and rows that have a cell for each."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, columns: Iterable[Any], rows: Iterable[Iterable[Any]]) -> Grid:
        """Of values of any kind; what is missing, None or no number, is an empty text."""
        return cls(tuple(map(str, columns)), tuple(tuple(map(_cell, row)) for row in rows))


def _cell(value: Any) -> str:
    missing = value is None or (isinstance(value, float) and value != value)
    return "" if missing else str(value)


@dataclass(frozen=True, slots=True)
class Encoded:
    """Texts as packed rows: `arrays` holds flat values and `lengths` (rows,).

    A long text becomes several rows (windows); `owners` (rows,) names the text each row belongs
    to, in ascending order. `cut` counts the tokens left out, zero unless truncation was asked for.
    """

    arrays: Arrays
    owners: Array
    num_texts: int
    cut: int = 0

    @staticmethod
    def together(parts: Sequence[Encoded]) -> Encoded:
        """The texts of all parts, with the arrays that all of them have."""
        first, *others = parts
        names = [name for name in first.arrays if all(name in part.arrays for part in others)]
        arrays = {name: np.concatenate([part.arrays[name] for part in parts]) for name in names}
        before = np.cumsum([0, *(part.num_texts for part in parts)])
        owners = [part.owners + start for part, start in zip(parts, before, strict=False)]
        cut = sum(part.cut for part in parts)
        return Encoded(arrays, np.concatenate(owners), int(before[-1]), cut)


class Encoder(Protocol):
    """Turns texts (or pairs of texts) into packed rows."""

    def encode(self, texts: Sequence[str], pairs: Sequence[str] | None = None) -> Encoded: ...


class Session(Protocol):
    """Maps packed arrays to arrays: `logits` (rows, labels) float32, of a tagger (tokens, outputs); or `states`."""

    def run(self, arrays: Arrays) -> Arrays: ...


@dataclass(frozen=True, slots=True)
class Candidates:
    """The likeliest next tokens of every row, the best first.

    `scores` are logits and `norm` is the logarithm of the sum of all exp(logits), so that log p is their
    difference; `attention`, where the model gives it, is how much the step looked at each token of the source.
    """

    ids: Array  # (rows, count) integers
    scores: Array  # (rows, count)
    norm: Array  # (rows,)
    attention: Array | None = None  # (rows, source)

    @property
    def log_probs(self) -> Array:
        """ln p, (rows, count)."""
        difference: Array = self.scores - self.norm[:, None]
        return difference


class DecodeState(Protocol):
    """What a model remembers of the rows that it writes."""

    def reorder(self, rows: Array) -> DecodeState:
        """The state of these rows, which may come back several times or not at all."""
        ...


class Stepper(Protocol):
    """A model that writes: a token at a time for many rows, handing over `count` candidates for each.

    Its state is a `DecodeState` of its own kind.
    """

    @property
    def vocab_size(self) -> int: ...

    def begin(self, batch: Arrays, count: int) -> tuple[Candidates, Any]:
        """Read sources or prompts, packed; the candidates for the first token of each."""
        ...

    def advance(self, ids: Array, state: Any, count: int) -> tuple[Candidates, Any]:
        """One more token for every row, (rows,), and the candidates for the one after it."""
        ...


class LanguageSession(Stepper, Protocol):
    """A causal language model over packed rows of token ids: it goes on from prompts and scores what is there."""

    @property
    def longest(self) -> int | None:
        """How many tokens of a row it can read; None for any number."""
        ...

    def log_probs(self, ids: Array, targets: Array, sizes: Array) -> Array:
        """ln p of `targets` (tokens,), each after the tokens of its row up to and with its own of `ids`; 0 where the
        target is -1. `sizes` are those of the rows.
        """
        ...


@dataclass(frozen=True, slots=True)
class Budget:
    """What the chosen model may cost; None means no limit. Latency is p95 per text at batch 1."""

    max_ms: float | None = None
    max_mb: float | None = None
    max_ram_mb: float | None = None
    max_train_min: float | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A trained and exported model, before it is measured.

    `source` names the candidate it was made from: the teacher of a student, the fp32 file of an
    int8 one. `made_s` is the training time of this step alone, `params` counts weights.
    """

    name: str
    rung: str
    artifact: str
    made_s: float
    params: int
    source: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Measurement:
    """One candidate's figures, all taken from its exported file in one fresh process.

    `quality` is the metric on dev with its bootstrap 95 % interval `low`..`high`; `p50_ms` and
    `p95_ms` are per text at batch 1, tokeniser included; `texts_per_s` is in batches on the true
    length mix; `size_mb`, `peak_mb` are 10^6 bytes; `cold_start_s` runs from process start to the
    first prediction.
    """

    quality: float
    low: float
    high: float
    p50_ms: float
    p95_ms: float
    texts_per_s: float
    size_mb: float
    peak_mb: float
    cold_start_s: float
    cut_tokens: int = 0
    extra: Mapping[str, float] = field(default_factory=dict)  # further metrics by name
