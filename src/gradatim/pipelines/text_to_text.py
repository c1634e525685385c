"""Texts in, texts out: translation, summaries and whatever else a model has learned to write."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, groupby
from typing import Any, overload

import numpy as np

from gradatim.decode.search import Search, Written
from gradatim.decode.walk import Step
from gradatim.decode.write import spoken, write
from gradatim.pipelines.unknown import unknown_token, with_source_words
from gradatim.text.parts import parts
from gradatim.text.pieces import PieceEncoder
from gradatim.text.stream import single_bytes, streamed
from gradatim.text.tokenizer import parse_tokenizer
from gradatim.types import Array, Arrays, Stepper

MAX_CELLS = 4096  # rows x the longest of them, of sources that are read together
MAX_ROWS = 64


@dataclass(frozen=True, slots=True)
class Output:
    """A text that was written: its tokens, ln p of all of them, and the score by which it was chosen.

    `attention` (tokens, source tokens) is what each token of it looked at, where the model tells; `ended` is False
    where the longest length cut it off.
    """

    text: str
    tokens: tuple[str, ...]
    log_prob: float
    score: float
    ended: bool
    attention: Array | None = None


class TextToText:
    """Reads a text and writes another.

    `target` is the tokenizer.json of what is written, `end` the token that ends it, `longest` the most tokens that
    the model can write at once, whatever a search asks for; `beams` how many texts it keeps side by side unless a
    search says otherwise; `prefix` names the task to a model that knows several (Raffel et al. 2020, section 2.4).
    A text longer than `pieces` can read is cut between sentences and written part by part: nothing is left out. Of a
    text without letters nothing is written. For a word that cannot be written stands that of the source which was
    looked at, where the model tells.
    """

    def __init__(
        self,
        stepper: Stepper,
        pieces: PieceEncoder,
        target: str,
        *,
        end: int,
        longest: int | None = None,
        prefix: str = "",
        beams: int = 4,
    ) -> None:
        self.stepper, self.pieces, self.end, self.longest, self.prefix = stepper, pieces, end, longest, prefix
        self.target, self.beams = parse_tokenizer(target), beams
        self.loose, self.unknown = single_bytes(self.target), unknown_token(self.target)

    @overload  # a str is a sequence of str to the type checker, hence the overlap
    def __call__(self, texts: str, search: Search | None = None) -> str: ...  # type: ignore[overload-overlap]

    @overload
    def __call__(self, texts: Sequence[str], search: Search | None = None) -> list[str]: ...

    def __call__(self, texts: str | Sequence[str], search: Search | None = None) -> str | list[str]:
        """The best text for one or for each."""
        if isinstance(texts, str):
            return self.outputs([texts], search)[0][0].text
        return [outputs[0].text for outputs in self.outputs(texts, search)]

    def answers(self, texts: Sequence[str], pairs: None = None) -> dict[str, Array]:
        """What a metric needs to judge the model: what it writes. No token is left out."""
        return {"written": np.array(self(list(texts)), dtype=np.str_), "cut_tokens": np.array(0)}

    def outputs(
        self, texts: Sequence[str], search: Search | None = None, *, begin: Sequence[str] | None = None
    ) -> list[list[Output]]:
        """The `search.best` texts for each, the best first; one where the text was read in parts.

        `begin` is what each of them must begin with.
        """
        rows = [(number, part) for number, text in enumerate(texts) for part in self._parts(text)]
        opens = [not row or rows[row - 1][0] != number for row, (number, _) in enumerate(rows)]
        first = [begin[number] if begin and new else "" for new, (number, _) in zip(opens, rows, strict=True)]
        found = self._written([part for _, part in rows], first, self._within(search or self.search()))
        outputs = [[_nothing()] for _ in texts]
        for number, own in groupby(range(len(rows)), key=lambda row: rows[row][0]):
            places = list(own)
            spaced = [rows[row][1][-1:].isspace() for row in places]
            outputs[number] = (
                found[places[0]] if len(places) == 1 else [_joined([found[row][0] for row in places], spaced)]
            )
        return outputs

    def search(self, **settings: Any) -> Search:
        """A search with these settings and the model's own end and beams."""
        return Search(**{"end": self.end, "max_length": 256, "beams": self.beams, **settings})

    def stream(self, text: str, search: Search | None = None, *, begin: str = "") -> Iterator[str]:
        """What `outputs` would give for one text, in pieces as they are written.

        Raises ConfigError for beams.
        """
        search, parts = self._within(search or self.search(beams=1)), self._parts(text)
        pieces: list[Iterator[str]] = []
        for number, part in enumerate(parts):
            prefix = self._prefix([begin if not number else ""])
            steps = spoken(self.stepper, self._read([part]), search, prefix=prefix, number=number)
            pieces.append(self._streamed(steps, part))
            if part[-1:].isspace() and number + 1 < len(parts):
                pieces.append(iter(" "))
        return chain.from_iterable(pieces)

    def first_part(self, text: str) -> tuple[str, int]:
        """As much of a text as can be read at once, and how many tokens that leaves out."""
        return self.pieces.first_part(text, self._room())

    def unknown_to(self, text: str) -> list[str]:
        """What of a text the model has no token for, as of a script that it has never seen."""
        encoding = self.pieces.tokenizer.encode(text, add_special_tokens=False)
        unknown = unknown_token(self.pieces.tokenizer)
        found = zip(encoding.ids, encoding.offsets, strict=True)
        return [text[start:end].strip() for token, (start, end) in found if token == unknown]

    def _within(self, search: Search) -> Search:
        """The search, for as many tokens as the model can write."""
        if self.longest is None or search.max_length <= self.longest:
            return search
        return replace(search, max_length=self.longest, min_length=min(search.min_length, self.longest))

    def _parts(self, text: str) -> list[str]:
        if not text.strip():
            return []
        return [part for part in parts(self.pieces.tokenizer, text, self._room()) if part.strip()]

    def _room(self) -> int:
        """Tokens of a source that can be read at once behind the prefix."""
        prefix = (
            self.pieces.tokenizer.encode(self.prefix, add_special_tokens=False).ids if self.prefix else []
        )
        return self.pieces.room - len(prefix)

    def _written(self, texts: list[str], first: list[str], search: Search) -> list[list[Output]]:
        """What is written for texts that can be read at once, those of like length together."""
        found: list[list[Output]] = [[] for _ in texts]
        encoded = self._read(texts)
        lengths = encoded["lengths"]
        starts = np.cumsum(lengths) - lengths
        for rows in _batches(lengths):
            ids = np.concatenate([encoded["ids"][starts[row] : starts[row] + lengths[row]] for row in rows])
            prefix = self._prefix([first[row] for row in rows])
            batch = {"ids": ids, "lengths": lengths[rows]}
            written = write(self.stepper, batch, search, prefix=prefix, numbers=rows)
            for row, several in zip(rows, written, strict=True):
                found[row] = [self._output(one, texts[row]) for one in several]
        return found

    def _read(self, texts: list[str]) -> Arrays:
        """Tokens of sources, packed."""
        return self.pieces.encode([self.prefix + text for text in texts]).arrays

    def _decode(self, ids: list[int]) -> str:
        return str(self.target.decode(ids))

    def _text(self, ids: list[int], looked: Array | None, source: str) -> str:
        """The text of tokens, of which each looked at so much of every token of the source."""
        if looked is None or self.unknown not in ids:
            return self._decode(ids)
        read = self.prefix + source
        spans = self.pieces.tokenizer.encode(read).offsets
        return with_source_words(ids, looked, self.unknown, self._decode, read, spans)

    def _streamed(self, steps: Iterator[Step], source: str) -> Iterator[str]:
        looked: list[Array] = []

        def tokens() -> Iterator[list[int]]:
            for step in steps:
                looked.extend([] if step.attention is None else step.attention)
                yield step.ids.tolist()

        def text(ids: list[int]) -> str:
            return self._text(ids, np.stack(looked)[: len(ids)] if looked else None, source)

        return streamed(tokens(), text, loose=self.loose)

    def _prefix(self, texts: list[str]) -> Array | None:
        if not any(texts):
            return None
        rows = [self.target.encode(text, add_special_tokens=False).ids for text in texts]
        longest = max(map(len, rows))
        return np.array([row + [-1] * (longest - len(row)) for row in rows], dtype=np.int64)

    def _output(self, written: Written, source: str) -> Output:
        ids, looked = written.ids.tolist(), written.attention
        tokens = tuple(self.target.id_to_token(token) or "" for token in ids)
        text = self._text(ids, looked, source)
        return Output(text, tokens, written.log_prob, written.score, written.ended, looked)


def _batches(lengths: Array) -> Iterator[Array]:
    """Rows of like length, the longest first."""
    order = np.argsort(-lengths, kind="stable")
    while len(order):
        size = min(MAX_ROWS, max(1, MAX_CELLS // int(lengths[order[0]])))
        yield order[:size]
        order = order[size:]


def _joined(outputs: list[Output], spaced: list[bool]) -> Output:
    """Parts as one text, with a space where there was white space between theirs."""
    text = "".join(
        output.text + (" " if space and number + 1 < len(outputs) else "")
        for number, (output, space) in enumerate(zip(outputs, spaced, strict=True))
    )
    return Output(
        text, tuple(token for output in outputs for token in output.tokens),
        sum(output.log_prob for output in outputs), float(np.mean([output.score for output in outputs])),
        all(output.ended for output in outputs),
    )  # fmt: skip


def _nothing() -> Output:
    return Output("", (), 0.0, 0.0, True)
