"""Where a model looked in its source when it wrote each token: the matrix of Bahdanau et al. (2015, figure 3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from gradatim.decode.search import Search
from gradatim.decode.write import write
from gradatim.errors import ConfigError
from gradatim.models.inputs import Inputs
from gradatim.models.language import EncoderDecoder
from gradatim.models.stepper import TorchStepper
from gradatim.nn.stack import Trace
from gradatim.text.pieces import PieceEncoder
from gradatim.text.tokenizer import parse_tokenizer
from gradatim.types import Array

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


def align(
    model: EncoderDecoder,
    pieces: PieceEncoder,
    target: str,
    text: str,
    *,
    start: int,
    end: int,
    search: Search,
    prefix: str = "",
) -> Alignment:
    """Write the text that belongs to `text`, and read it once more with the weights kept.

    Raises ConfigError for a text without words or longer than the model reads at once, and for a model without
    attention.
    """
    encoded = pieces.encode([prefix + text])
    if not text.strip() or len(encoded.owners) > 1:
        raise ConfigError(
            f"a text of 1 to {pieces.room} tokens can be shown: this one has "
            f"{len(pieces.documents([text]).arrays['ids'])}"
        )
    batch = {name: encoded.arrays[name] for name in ("ids", "lengths")}
    [[written, *_]] = write(TorchStepper(model, start=start), batch, search)
    read = np.concatenate([[start], written.ids])[
        : len(written.ids) + written.ended
    ]  # what each was written after
    source, decoder = (
        Inputs.of(batch, fill=1),
        Inputs.of({"ids": read, "lengths": np.array([len(read)])}, fill=1),
    )
    trace = Trace([], weights=[])
    with torch.inference_mode():
        model.states(source.ids, source.layout, decoder.ids, decoder.layout, trace)
    if not trace.cross_weights:
        raise ConfigError("this model has no attention to its source: it reads it into one vector")
    heads = np.stack([torch.cat(layer).float().numpy()[0] for layer in trace.cross_weights])
    tokenizer = parse_tokenizer(target)
    names = [tokenizer.id_to_token(token) or "" for token in written.ids.tolist()]
    sources = [pieces.tokenizer.id_to_token(token) or "" for token in batch["ids"].tolist()]
    return Alignment(
        str(tokenizer.decode(written.ids.tolist())),
        readable(sources),
        readable([*names, *[END] * written.ended]),
        heads,
    )


def readable(tokens: Sequence[str]) -> tuple[str, ...]:
    """Pieces without the marks of their tokenizer; what continues a word begins with a dot."""
    marked = any(token.startswith(BEGINS) for token in tokens)
    found = []
    for token in tokens:
        bare = token.removeprefix(BEGINS[0]).removeprefix(BEGINS[1])
        continues = (marked and bare == token and not token.startswith("<")) or token.startswith("##")
        found.append(("·" if continues else "") + bare.removeprefix("##"))
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
