"""How likely texts are, word by word, and new ones, under any language model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
import numpy.typing as npt

from gradatim.errors import ConfigError
from gradatim.types import Array

CHUNK_CHARACTERS = 1 << 22  # of text scored at once
LN2 = float(np.log(2.0))

Floats = npt.NDArray[np.float64]


class LanguageModel(Protocol):
    """ln p of tokens given those before them. Tokens are numbers; `start` opens every text and `end` closes it."""

    start: int
    end: int
    unknown: int

    def encode(self, texts: Sequence[str]) -> tuple[Array, Array]:
        """All texts as tokens, `start` and `end` among them, and how many tokens each has."""
        ...

    def log_probs(self, ids: Array, sizes: Array) -> Array:
        """ln p of each token of texts of these sizes, (tokens,); 0 for the `start` of each."""
        ...

    def distribution(self, context: Sequence[int]) -> Array:
        """ln p of every token after these, (tokens of the vocabulary,)."""
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
    """Scores texts and writes new ones with a language model."""

    def __init__(self, model: LanguageModel) -> None:
        self.model = model

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
        self, prompt: str = "", *, max_tokens: int = 100, temperature: float = 1.0, seed: int = 0
    ) -> str:
        """The prompt and what follows, drawn token by token (temperature 0: the likeliest) until the text ends."""
        if temperature < 0 or max_tokens < 0:
            raise ConfigError(f"temperature {temperature} and max_tokens {max_tokens} must be at least 0")
        rng = np.random.default_rng(seed)
        ids = self.model.encode([prompt])[0].tolist()[:-1]
        for _ in range(max_tokens):
            logits = np.asarray(self.model.distribution(ids), dtype=np.float64).copy()
            logits[self.model.unknown] = -np.inf  # a word that has no letters
            following = _draw(logits, temperature, rng)
            if following == self.model.end:
                break
            ids.append(following)
        return self.model.decode(ids[1:])

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


def _draw(logits: Floats, temperature: float, rng: np.random.Generator) -> int:
    """One token from softmax(logits / temperature), by the maximum of Gumbel noise (Gumbel 1954)."""
    if temperature == 0:
        return int(logits.argmax())
    return int((logits / temperature + rng.gumbel(size=len(logits))).argmax())


def _exp(value: float) -> float:
    return float(np.exp(value)) if value < 60 else float("inf")
