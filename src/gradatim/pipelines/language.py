"""How likely texts are, word by word, and new ones, under any language model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, pairwise
from typing import Protocol

import numpy as np
import numpy.typing as npt

from gradatim.decode.search import Search
from gradatim.decode.write import spoken, write
from gradatim.errors import ConfigError
from gradatim.text.stream import streamed
from gradatim.types import Array, Arrays, Stepper

MAX_ROWS = 64  # texts written side by side
CHUNK_CHARACTERS = 1 << 22  # of text scored at once
LN2 = float(np.log(2.0))

Floats = npt.NDArray[np.float64]


class LanguageModel(Protocol):
    """ln p of tokens given those before them. Tokens are numbers; `start` opens every text and `end` closes it."""

    start: int
    end: int
    unknown: int  # -1 where every text has tokens
    loose: frozenset[int]  # tokens that are single bytes

    @property
    def stepper(self) -> Stepper:
        """The model, writing."""
        ...

    def encode(self, texts: Sequence[str]) -> tuple[Array, Array]:
        """All texts as tokens, `start` and `end` among them, and how many tokens each has."""
        ...

    def log_probs(self, ids: Array, sizes: Array) -> Array:
        """ln p of each token of texts of these sizes, (tokens,); 0 for the `start` of each."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """Tokens as text."""
        ...


@dataclass(frozen=True, slots=True)
class Scores:
    """Of each text, its end included: ln p, tokens, unknown tokens, ln p of the others, characters."""

    log_probs: Floats
    tokens: Array
    unknown: Array
    known_log_probs: Floats
    characters: Array

    @property
    def perplexity(self) -> float:
        """exp of minus the mean ln p of a token; infinite where something was impossible."""
        return _exp(-self.log_probs.sum() / self.tokens.sum())

    @property
    def known_perplexity(self) -> float:
        """The same over tokens that the model knows."""
        known = self.tokens.sum() - self.unknown.sum()
        return _exp(-self.known_log_probs.sum() / max(1, known))

    @property
    def bits_per_character(self) -> float:
        """-log2 p of the whole over its characters, line ends included: comparable whatever the tokens are."""
        return float(-self.log_probs.sum() / LN2 / self.characters.sum())


@dataclass(frozen=True, slots=True)
class Surprisal:
    """One token and -log2 of its probability, in bits (Shannon 1948; Hale 2001)."""

    token: str
    bits: float
    known: bool


class LanguagePipeline:
    """Scores texts and writes new ones with a language model.

    Prompts are read after the end of another text, as texts are scored, or, if not `opened`, by themselves.
    """

    def __init__(self, model: LanguageModel, *, opened: bool = True) -> None:
        self.model, self.opened = model, opened

    def score(self, texts: Sequence[str], *, carried: bool = False) -> Scores:
        """The likelihood of each text; a text is a sentence, without line ends.

        `carried`: all texts are one, each read after those before it. Raises ConfigError for a model that
        has a start of its own, as n-gram models do: it reads sentences alone.
        """
        if carried and self.model.start != self.model.end:
            raise ConfigError(
                "this model reads every sentence alone: nothing can be carried from one to the next"
            )
        characters = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts)) + 1
        chunks = np.flatnonzero(np.diff(np.cumsum(characters) // CHUNK_CHARACTERS, prepend=-1))
        edges = [0, len(texts)] if carried and texts else [*chunks.tolist(), len(texts)]
        parts = [self._sums(texts[start:stop], carried) for start, stop in pairwise(edges)]
        columns = zip(*parts, strict=True) if parts else [[np.zeros(0)]] * 4
        log_probs, tokens, unknown, known_log_probs = (np.concatenate(column) for column in columns)
        return Scores(log_probs, tokens, unknown, known_log_probs, characters)

    def surprisals(self, text: str) -> list[Surprisal]:
        """How surprising each token of a text is, its end last."""
        ids, sizes = self.model.encode([text])
        bits = -self.model.log_probs(ids, sizes) / LN2
        return [
            Surprisal(self.model.decode([token]), float(bit), token != self.model.unknown)
            for token, bit in zip(ids[1:].tolist(), bits[1:], strict=True)
        ]

    def generate(
        self, prompts: Sequence[str], search: Search | None = None, *, count: int = 1
    ) -> list[list[str]]:
        """Each prompt with what follows it: the `search.best` texts, the best first, or as many drawn as `count`.

        Tokens of the prompt count as written where none may be repeated.
        """
        search = self._search(search, count)
        rows = [prompt for prompt in self._prompts(prompts) for _ in range(count)]
        texts: list[list[str]] = []
        for first in range(0, len(rows), MAX_ROWS):
            some = rows[first : first + MAX_ROWS]
            numbers = np.arange(first, first + len(some)) % count
            found = write(self.model.stepper, _batch(some), search, before=_before(some), numbers=numbers)
            for prompt, written in zip(some, found, strict=True):
                texts.append(
                    [self.model.decode([*self._shown(prompt), *text.ids.tolist()]) for text in written]
                )
        return [list(chain(*texts[first : first + count])) for first in range(0, len(texts), count)]

    def stream(self, prompt: str = "", search: Search | None = None, *, number: int = 0) -> Iterator[str]:
        """The same for one prompt, in pieces as they are written; `number` says which of the texts that are drawn.

        Raises ConfigError for beams.
        """
        [row] = self._prompts([prompt])
        search = self._search(search, number + 1)
        steps = spoken(self.model.stepper, _batch([row]), search, before=_before([row]), number=number)
        groups = chain([self._shown(row)], (step.ids.tolist() for step in steps))
        return streamed(groups, self.model.decode, loose=self.model.loose)

    def plain(self, texts: Sequence[str]) -> list[str]:
        """Texts as the model's tokens spell them."""
        return [self.model.decode(self._shown(row)) for row in self._prompts(texts)]

    def tokens(self, prompt: str) -> list[int]:
        """The tokens that are read of a prompt."""
        return self._prompts([prompt])[0]

    def unread(self, prompt: str) -> int:
        """How many tokens of a prompt have no part in what follows: those before the last that can be read at once."""
        longest = getattr(self.model.stepper, "longest", None)
        return 0 if longest is None else max(0, len(self.tokens(prompt)) - longest)

    def _search(self, search: Search | None, count: int) -> Search:
        """The search, which never writes a word that has no letters, for so many texts."""
        search = search or Search(end=self.model.end)
        if count < 1 or (count > 1 and not search.sample):
            raise ConfigError(f"{count} texts: unless they are drawn, all would be the same")
        unknown = (self.model.unknown,) * (self.model.unknown >= 0)
        return replace(search, banned=(*search.banned, *unknown))

    def _prompts(self, prompts: Sequence[str]) -> list[list[int]]:
        """Tokens of texts that are to go on; something must be read, if it is only what opens a text."""
        ids, sizes = self.model.encode(prompts)
        rows = [row.tolist()[:-1] for row in np.split(ids, np.cumsum(sizes)[:-1])] if len(sizes) else []
        return rows if self.opened else [row[1:] or row for row in rows]

    def _shown(self, row: list[int]) -> list[int]:
        """Tokens of a prompt without what opens it."""
        return row[1:] if self.opened or row == [self.model.start] else row

    def _sums(self, texts: Sequence[str], carried: bool) -> tuple[Array, ...]:
        """ln p, tokens, unknown tokens and ln p of the others, of each text."""
        ids, sizes = self.model.encode(texts)
        first = np.cumsum(sizes) - sizes
        if carried:  # one text, in which an end is the next one's start
            log_probs = np.zeros(len(ids))
            kept = np.delete(np.arange(len(ids)), first[1:])
            log_probs[kept] = self.model.log_probs(ids[kept], np.array([len(kept)]))
        else:
            log_probs = self.model.log_probs(ids, sizes).astype(np.float64)
        strange = ids == self.model.unknown
        of_known = np.where(strange, 0.0, log_probs)
        return (
            np.add.reduceat(log_probs, first), sizes - 1,
            np.add.reduceat(strange.astype(np.int64), first), np.add.reduceat(of_known, first),
        )  # fmt: skip


def _batch(rows: list[list[int]]) -> Arrays:
    return {"ids": np.concatenate(rows), "lengths": np.array([len(row) for row in rows])}


def _before(rows: list[list[int]]) -> Array:
    """(rows, longest), each at the right behind -1."""
    longest = max(map(len, rows))
    return np.array([[-1] * (longest - len(row)) + row for row in rows])


def _exp(value: float) -> float:
    return float(np.exp(value)) if value < 60 else float("inf")
