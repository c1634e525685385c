"""The special tokens that a tokenizer puts around one text or a pair, learned from its own output."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, repeat

import numpy as np
from tokenizers import Tokenizer

from gradatim.errors import ConfigError
from gradatim.types import Array


class Frame:
    """Special tokens before, between and after the texts of a row, with segment ids for all.

    Learned by encoding a probe, so that the tokenizer's post-processor stays the only authority.
    Raises `ConfigError` if it puts special tokens anywhere else.
    """

    def __init__(self, tokenizer: Tokenizer, *, pair: bool) -> None:
        probe = tokenizer.encode("a", "a") if pair else tokenizer.encode("a")
        origin = probe.sequence_ids  # 0 or 1 for the tokens of a text, None for special tokens
        slots = [0, 1] if pair else [0]
        runs = [i for i, text in enumerate(origin) if text is not None and origin[i - 1 : i] != [text]]
        if [origin[i] for i in runs] != slots:
            raise ConfigError("tokenizer.json must encode a text as one run of tokens between special tokens")
        ends = [len(origin) - origin[::-1].index(text) for text in slots]
        gaps = list(zip([0, *ends], [*runs, len(origin)], strict=True))
        self.specials = [probe.ids[start:end] for start, end in gaps]
        self._special_segments = [probe.type_ids[start:end] for start, end in gaps]
        self._segments = [probe.type_ids[run] for run in runs]
        self._one_segment = len(set(probe.type_ids)) == 1
        self.num_specials = sum(map(len, self.specials))

    def ids(self, rows: Sequence[Sequence[list[int]]], total: int) -> Array:
        """The framed rows end to end: int64 `(total,)`; `rows` holds a column of lists per text of a pair."""
        return _flat(_interleave(self.specials, rows), total)

    def segments(self, rows: Sequence[Sequence[list[int]]], total: int) -> Array:
        """Segment ids of the framed rows: int64 `(total,)`."""
        if self._one_segment:
            return np.full(total, self._segments[0], dtype=np.int64)
        return _flat(_interleave(self._special_segments, _filled(self._segments, rows)), total)

    def origins(self, rows: Sequence[Sequence[list[int]]], total: int) -> Array:
        """Which text each token is from, 0 or 1, or 2 for special tokens: int64 `(total,)`."""
        return _flat(_interleave(self._constant(2), _filled((0, 1), rows)), total)

    def offsets(self, rows: Sequence[Sequence[list[int]]], total: int) -> Array:
        """The given numbers, one per token of a text, with 0 for special tokens: int64 `(total,)`."""
        return _flat(_interleave(self._constant(0), rows), total)

    def _constant(self, value: int) -> list[list[int]]:
        return [[value] * len(ids) for ids in self.specials]


def _filled(values: Sequence[int], rows: Sequence[Sequence[list[int]]]) -> list[list[list[int]]]:
    """The same value for every token of a text."""
    return [[[value] * len(row) for row in column] for value, column in zip(values, rows, strict=False)]


def _interleave(fixed: list[list[int]], rows: Sequence[Sequence[list[int]]]) -> Iterator[list[int]]:
    """For every row: fixed[0], its first text, fixed[1], its second text, ..., the last of fixed."""
    columns: list[Iterable[list[int]]] = [repeat(fixed[0])]
    for column, after in zip(rows, fixed[1:], strict=True):
        columns += [column, repeat(after)]
    return chain.from_iterable(zip(*columns, strict=False))


def _flat(lists: Iterator[list[int]], total: int) -> Array:
    return np.fromiter(chain.from_iterable(lists), dtype=np.int64, count=total)
