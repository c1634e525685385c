"""The vectors of one word in its contexts, from any layer of a body."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from gradatim.errors import ConfigError
from gradatim.models.inputs import READ, Inputs
from gradatim.nn.stack import Trace
from gradatim.text.pieces import PieceEncoder
from gradatim.text.windows import ragged
from gradatim.types import Array

ROWS = 32  # read at once
AROUND = 3  # words on each side that are shown


@dataclass(frozen=True, slots=True)
class Occurrence:
    """Where a word stands: the number of its text, the words around it, and its vector (width,)."""

    text: int
    around: str
    vector: Array


def occurrences(
    body: nn.Module, encoder: PieceEncoder, texts: Sequence[str], word: str, *, layer: int = -1
) -> list[Occurrence]:
    """Every place of `word` in the texts, as the mean of its pieces' states after a layer (0: the embedding).

    Raises ConfigError for a layer that is not there.
    """
    pattern = re.compile(rf"\b{re.escape(word)}\b", re.IGNORECASE)
    places = [(i, *found.span()) for i, text in enumerate(texts) for found in pattern.finditer(text)]
    kept = sorted({text for text, _, _ in places})
    if not kept:
        return []
    encoded = encoder.encode([texts[i] for i in kept], spans=True)
    arrays, lengths = encoded.arrays, encoded.arrays["lengths"]
    starts = np.cumsum(lengths) - lengths
    states = []
    for begin in range(0, len(lengths), ROWS):
        rows = slice(begin, begin + ROWS)
        tokens = ragged(starts[rows], lengths[rows])
        part: dict[str, Any] = {name: arrays[name][tokens] for name in READ if name in arrays}
        inputs, trace = Inputs.of({**part, "lengths": lengths[rows]}), Trace([])
        with torch.inference_mode():
            body(inputs.ids, inputs.layout, inputs.segments, trace, **inputs.told)
        if not -len(trace.hidden) <= layer < len(trace.hidden):
            raise ConfigError(
                f"there is no layer {layer}: the model has {len(trace.hidden)}, the embedding being 0"
            )
        states.append(trace.hidden[layer][: len(tokens)].float().numpy())
    whole, owners = np.concatenate(states), np.array(kept)[np.repeat(encoded.owners, lengths)]
    found = []
    for text, start, end in places:
        inside = (
            (owners == text) & (arrays["starts"] < end) & (arrays["ends"] > start) & (arrays["origins"] == 0)
        )
        if inside.any():
            found.append(Occurrence(text, _around(texts[text], start, end), whole[inside].mean(axis=0)))
    return found


def _around(text: str, start: int, end: int) -> str:
    before = re.search(rf"(?:\S+\s+){{0,{AROUND}}}\S*$", text[:start])
    after = re.match(rf"\S*(?:\s+\S+){{0,{AROUND}}}", text[end:])
    whole = (before[0] if before else "") + text[start:end].upper() + (after[0] if after else "")
    return " ".join(whole.split())
