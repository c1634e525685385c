"""Where a model looked in its source when it wrote each token: the matrix of Bahdanau et al. (2015, figure 3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradatim.decode.search import Search, Written
from gradatim.decode.write import write
from gradatim.errors import ConfigError
from gradatim.pipelines.text_to_text import TextToText
from gradatim.types import Array, Arrays, Stepper

# A stepper, the source, and what was written of it, to the weights (layers, heads, target, source).
Look = Callable[[Any, Arrays, Written], Array]
BEGINS = ("▁", "Ġ")  # how tokenizers mark the beginning of a word
END = "</s>"


@dataclass(frozen=True, slots=True)
class Alignment:
    """A text that was written, and how much each of its tokens, rows, looked at each of the source, columns.

    `heads` (layers, heads, target, source); every row of it sums to 1. The last target token is the end, if it came
    to one.
    """

    text: str
    source: tuple[str, ...]
    target: tuple[str, ...]
    heads: Array

    @property
    def mean(self) -> Array:
        """(target, source), over all layers and heads."""
        averaged: Array = self.heads.mean(axis=(0, 1))
        return averaged

    def links(self) -> list[tuple[str, str, float]]:
        """Each target token with the source token that it looked at most, and how much."""
        best = self.mean.argmax(axis=1)
        return [
            (token, self.source[column], float(self.mean[row, column]))
            for row, (token, column) in enumerate(zip(self.target, best, strict=True))
        ]


def align(writer: TextToText, text: str, search: Search, *, look: Look) -> Alignment:
    """Write the text that belongs to `text`, and `look` where each of its tokens looked.

    Raises ConfigError for a text without words or longer than the model reads at once, and for a model that does not
    tell.
    """
    pieces, target = writer.pieces, writer.target
    encoded = pieces.encode([writer.prefix + text])
    if not text.strip() or len(encoded.owners) > 1:
        raise ConfigError(
            f"a text of 1 to {pieces.room} tokens can be shown: this one has "
            f"{len(pieces.documents([text]).arrays['ids'])}"
        )
    batch = {name: encoded.arrays[name] for name in ("ids", "lengths")}
    [[written, *_]] = write(writer.stepper, batch, search)
    heads = look(writer.stepper, batch, written)
    names = [target.id_to_token(token) or "" for token in written.ids.tolist()]
    sources = [pieces.tokenizer.id_to_token(token) or "" for token in batch["ids"].tolist()]
    return Alignment(
        str(target.decode(written.ids.tolist())),
        readable(sources),
        readable([*names, *[END] * written.ended]),
        heads,
    )


def step_by_step(stepper: Stepper, batch: Arrays, written: Written) -> Array:
    """What the steps of a text looked at, as their candidates say: one layer of one head."""
    candidates, state = stepper.begin(batch, 1)
    looked = [candidates.attention]
    for token in written.ids[: len(written.ids) - 1 + written.ended]:
        candidates, state = stepper.advance(np.array([token]), state, 1)
        looked.append(candidates.attention)
    weights = [one for one in looked if one is not None]
    if not weights:
        raise ConfigError(
            "this file does not tell where it looks: it has no attention to its source, or that of a Transformer, "
            "which the folder that it was made from tells"
        )
    return np.concatenate(weights)[None, None]


def readable(tokens: Sequence[str]) -> tuple[str, ...]:
    """Pieces without the marks of their tokenizer; what continues a word begins with a dot."""
    marked = any(token.startswith(BEGINS) for token in tokens)
    found = []
    for token in tokens:
        bare = token.removeprefix(BEGINS[0]).removeprefix(BEGINS[1])
        continues = (marked and bare == token and not token.startswith("<")) or token.startswith("##")
        found.append(("·" if continues else "") + bare.removeprefix("##") or token)  # a lone mark stays
    return tuple(found)


def entropy(weights: Array) -> float:
    """Mean entropy of the rows, in bits: 0 where each token looks at one place (Ghader & Monz 2017, eq. 4)."""
    logs = np.log2(np.maximum(weights, 1e-12))
    return float(-(weights * logs).sum(axis=-1).mean())


def diagonality(weights: Array) -> float:
    """1 less the mean distance of what is looked at from the diagonal, both axes from 0 to 1.

    1 where word order is kept; a matrix (target, source) that looks everywhere alike has about 2/3.
    """
    rows, columns = (np.linspace(0, 1, size) if size > 1 else np.array([0.5]) for size in weights.shape[-2:])
    distance = np.abs(rows[:, None] - columns)
    return float(1 - (weights * distance).sum(axis=-1).mean())
