"""Texts to packed word pieces, with windows for what is longer than the model can read."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from gradatim.errors import ConfigError
from gradatim.text.frame import Frame
from gradatim.text.windows import windows
from gradatim.types import Array, Encoded

_PARALLELISM = "TOKENIZERS_PARALLELISM"


class PieceEncoder:
    """Word pieces of texts or of pairs of texts: `ids`, `segments` and `lengths`, packed, int64.

    `tokenizer_json` is the text of a `tokenizer.json`; padding and truncation set inside it are
    switched off. `max_length` counts special tokens. A longer text becomes several rows: windows
    of equal size that share `stride` tokens, each framed by the special tokens of a whole text.

    Of a pair, a text of at most half the room stays whole in every row and the other is windowed;
    if both are longer, both are windowed in half the room and row i holds the windows at the same
    relative place. So every token of both is read at a cost linear in their lengths.

    With `truncate`, each text keeps only what fits into one row, and `Encoded.cut` counts the rest.
    """

    def __init__(
        self, tokenizer_json: str, *, max_length: int, stride: int = 0, truncate: bool = False
    ) -> None:
        try:
            self._tokenizer = Tokenizer.from_str(tokenizer_json)
        except Exception as error:  # the library raises nothing narrower
            raise ConfigError(f"tokenizer.json cannot be read: {error}") from error
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._single = Frame(self._tokenizer, pair=False)
        self._pair = Frame(self._tokenizer, pair=True)
        half = (max_length - self._pair.num_specials) // 2
        if not 0 <= stride < half:
            raise ConfigError(
                f"stride {stride} does not fit max_length {max_length}: it must be at least 0 and less than "
                f"{half}, half of what the special tokens of a pair leave"
            )
        self.max_length, self.stride, self.truncate = max_length, stride, truncate

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], tokenizer_json: str) -> PieceEncoder:
        """The encoder that wrote these `settings`."""
        return cls(
            tokenizer_json,
            max_length=settings["max_length"],
            stride=settings["stride"],
            truncate=settings["truncate"],
        )

    def settings(self) -> dict[str, str | int | bool]:
        """What `from_settings` needs, as it stands in the manifest of an artifact."""
        return {
            "kind": "pieces",
            "max_length": self.max_length,
            "stride": self.stride,
            "truncate": self.truncate,
        }

    def encode(self, texts: Sequence[str], pairs: Sequence[str] | None = None) -> Encoded:
        """Encode texts, or texts with their `pairs`, in the order given."""
        return self._encode_texts(texts) if pairs is None else self._encode_pairs(texts, pairs)

    def _encode_texts(self, texts: Sequence[str]) -> Encoded:
        rows = self._contents(texts)
        lengths = np.fromiter(map(len, rows), np.int64, len(rows))
        owners, cut = np.arange(len(rows)), 0
        room = self.max_length - self._single.num_specials
        if lengths.max(initial=0) > room:
            if self.truncate:
                rows = [row[:room] for row in rows]
                cut = int(np.maximum(lengths - room, 0).sum())
            else:
                owners, starts, ends = windows(lengths, room, self.stride)
                spans = zip(owners.tolist(), starts.tolist(), ends.tolist(), strict=True)
                rows = [rows[owner][start:end] for owner, start, end in spans]
        return self._pack(self._single, [rows], owners, len(texts), cut)

    def _encode_pairs(self, texts: Sequence[str], pairs: Sequence[str]) -> Encoded:
        room = self.max_length - self._pair.num_specials
        firsts: list[list[int]] = []
        seconds: list[list[int]] = []
        owners: list[int] = []
        cut = 0
        for owner, (a, b) in enumerate(zip(self._contents(texts), self._contents(pairs), strict=True)):
            if len(a) + len(b) <= room:
                rows = [(a, b)]
            else:
                room_a, room_b = _share(len(a), len(b), room)
                if self.truncate:
                    rows = [(a[:room_a], b[:room_b])]
                    cut += max(len(a) - room_a, 0) + max(len(b) - room_b, 0)
                else:
                    rows = _aligned(self._cover(a, room_a), self._cover(b, room_b))
            firsts += [first for first, _ in rows]
            seconds += [second for _, second in rows]
            owners += [owner] * len(rows)
        return self._pack(self._pair, [firsts, seconds], np.array(owners, np.int64), len(texts), cut)

    def _contents(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of every text, without special tokens."""
        batch = list(texts)
        try:
            encodings = self._tokenizer.encode_batch_fast(batch, add_special_tokens=False)
        except TypeError:  # half a surrogate pair, which JSON escapes can smuggle into a str
            batch = [text.encode("utf-8", "replace").decode("utf-8") for text in batch]
            encodings = self._tokenizer.encode_batch_fast(batch, add_special_tokens=False)
        return [encoding.ids for encoding in encodings]

    def _cover(self, ids: list[int], room: int) -> list[list[int]]:
        """The windows of one sequence."""
        if len(ids) <= room:
            return [ids]
        _, starts, ends = windows(np.array([len(ids)]), room, self.stride)
        return [ids[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]

    def _pack(
        self, frame: Frame, columns: list[list[list[int]]], owners: Array, num_texts: int, cut: int
    ) -> Encoded:
        """Frame the rows with special tokens and lay them end to end."""
        if not frame.num_specials:  # no row may be empty: attention needs something to attend to
            unknown = [_unknown_id(self._tokenizer)]
            columns[0] = [
                row if any(texts) else unknown for row, *texts in zip(columns[0], *columns, strict=True)
            ]
        lengths = np.full(len(owners), frame.num_specials, dtype=np.int64)
        for column in columns:
            lengths += np.fromiter(map(len, column), np.int64, len(column))
        total = int(lengths.sum())
        arrays = {
            "ids": frame.ids(columns, total),
            "segments": frame.segments(columns, total),
            "lengths": lengths,
        }
        return Encoded(arrays, owners, num_texts, cut)


def _share(a: int, b: int, room: int) -> tuple[int, int]:
    """How many of `room` tokens texts of `a` and `b` tokens get, when both together do not fit."""
    half = room // 2
    if a <= half:
        return a, room - a
    if b <= half:
        return room - b, b
    return room - half, half


def _aligned(firsts: list[list[int]], seconds: list[list[int]]) -> list[tuple[list[int], list[int]]]:
    """As many rows as the longer list has windows, each with the other's window at the same place."""
    n = max(len(firsts), len(seconds))
    return [(firsts[i * len(firsts) // n], seconds[i * len(seconds) // n]) for i in range(n)]


def _unknown_id(tokenizer: Tokenizer) -> int:
    unknown = getattr(tokenizer.model, "unk_token", None)
    return (tokenizer.token_to_id(unknown) if unknown else None) or 0


def _before_fork() -> None:
    """A forked child must not wait for the tokenizer threads that only its parent has."""
    global _unset
    _unset = _PARALLELISM not in os.environ
    if _unset:
        os.environ[_PARALLELISM] = "false"


def _after_fork_in_parent() -> None:
    if _unset:
        os.environ.pop(_PARALLELISM, None)


_unset = False
if hasattr(os, "register_at_fork"):
    # Set around the fork only, so that neither the parent nor programs it starts are changed.
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent)
