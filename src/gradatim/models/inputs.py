"""What a model is called with: one packed batch, and the encoded texts such batches are drawn from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from gradatim.nn.packed import Layout, moved
from gradatim.text.windows import ragged
from gradatim.types import CAPITALS, MARKS, Array, Arrays, Encoded

TOLD = (*MARKS, "cells", CAPITALS)  # what may be told of tokens besides
READ = ("ids", "segments", *TOLD)  # arrays of an encoder that a model, or its objective, reads
FILL = 64  # a batch has a multiple of so many tokens


@dataclass(frozen=True, slots=True)
class Inputs:
    """A packed batch: flat ids (of models that read letters, a row of them a word), optional segments, the layout,
    which text owns each row, and what else is told of tokens (`marks`).

    Last rows that no text owns, none longer than the longest that has an owner, may fill the batch up
    to a multiple of `FILL` tokens: matrix kernels are prepared per shape, and shapes that come back
    make training a fifth faster. `owners` and `num_tokens` count without them.
    """

    ids: Int[Tensor, "tokens ..."]
    layout: Layout
    segments: Int[Tensor, " tokens"] | None
    owners: Int[Tensor, " rows"]
    num_texts: int
    num_tokens: int
    marks: Mapping[str, Int[Tensor, " tokens"]] = field(default_factory=dict)

    @classmethod
    def of(cls, arrays: Arrays, owners: Array | None = None, *, fill: int = FILL) -> Inputs:
        """From the arrays of an encoder; without `owners` every row is a text of its own."""
        lengths = np.asarray(arrays["lengths"], dtype=np.int64)
        rows = np.arange(len(lengths)) if owners is None else owners
        num_tokens = int(lengths.sum())
        missing = -num_tokens % fill
        layout = Layout.of(np.concatenate([lengths, _filler(missing, int(lengths.max(initial=1)))]))
        columns = {
            name: torch.from_numpy(_longer(np.asarray(arrays[name], dtype=np.int64), missing))
            for name in READ
            if name in arrays
        }
        return cls(
            columns["ids"],
            layout,
            columns.get("segments"),
            torch.from_numpy(np.asarray(rows, dtype=np.int64)),
            int(rows[-1]) + 1,
            num_tokens,
            {name: columns[name] for name in TOLD if name in columns},
        )

    @property
    def told(self) -> dict[str, Any]:
        """What a body is called with by name: marks, where there are any, as not all bodies know them."""
        return {"marks": self.marks} if self.marks else {}

    def to(self, device: torch.device) -> Inputs:
        """The same batch on `device`."""
        return moved(self, device)

    def pool_windows(self, logits: Tensor) -> Tensor:
        """(rows, labels) to (texts, labels): the mean over a text's windows, weighted by their length."""
        if self.num_texts == len(logits):
            return logits
        weights = self.layout.lengths[: len(self.owners)].to(logits.dtype)
        totals = logits.new_zeros(self.num_texts).index_add(0, self.owners, weights)
        summed = logits.new_zeros(self.num_texts, logits.shape[1])
        return summed.index_add(0, self.owners, logits * weights[:, None]) / totals[:, None]


def _longer(array: Array, by: int) -> Array:
    """With so many zeros more in the first axis."""
    return np.pad(array, [(0, by), *[(0, 0)] * (array.ndim - 1)])


def _filler(tokens: int, longest: int) -> Array:
    """Lengths of rows that hold `tokens` tokens, none longer than `longest` (positions end somewhere)."""
    whole, rest = divmod(tokens, longest)
    return np.array([longest] * whole + [rest] * bool(rest), dtype=np.int64)


class PackedTexts:
    """Encoded texts held flat in memory; `take` cuts any of them into a batch without padding."""

    def __init__(self, encoded: Encoded) -> None:
        self.ids = np.asarray(encoded.arrays["ids"])
        self.more = {name: encoded.arrays[name] for name in READ[1:] if name in encoded.arrays}
        self.lengths = np.asarray(encoded.arrays["lengths"])
        self.starts = np.cumsum(self.lengths) - self.lengths
        self.first_row = np.searchsorted(encoded.owners, np.arange(encoded.num_texts + 1))
        row_ends = np.concatenate([[0], np.cumsum(self.lengths)])
        self.sizes: Array = np.diff(row_ends[self.first_row])  # tokens of each text

    def __len__(self) -> int:
        return len(self.sizes)

    def ended(self, token: int) -> PackedTexts:
        """The same texts, each one row, with this token at its end."""
        ids = np.insert(self.ids, np.cumsum(self.lengths), token)
        rows = np.arange(len(self))
        return PackedTexts(Encoded({"ids": ids, "lengths": self.lengths + 1}, rows, len(self)))

    def take(self, texts: Array) -> Inputs:
        """The batch of these texts, in this order."""
        rows = np.concatenate([np.arange(self.first_row[t], self.first_row[t + 1]) for t in texts])
        owners = np.repeat(np.arange(len(texts)), self.first_row[texts + 1] - self.first_row[texts])
        lengths = self.lengths[rows]
        tokens = ragged(self.starts[rows], lengths)
        more = {name: values[tokens] for name, values in self.more.items()}
        arrays = {"ids": self.ids[tokens], "lengths": lengths, **more}
        return Inputs.of(arrays, owners)
