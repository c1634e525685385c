"""Texts to packed word pieces, with windows for what is longer than the model can read."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from gradatim.errors import ConfigError
from gradatim.text.frame import Frame
from gradatim.text.tokenizer import parse_tokenizer
from gradatim.text.windows import windows
from gradatim.types import Array, Encoded

Span = tuple[int, int]
Row = tuple[int, int, int]  # which text, and the first and the end of its tokens that the row holds
Contents = dict[str, list[list[int]]]  # per text: token ids, perhaps starts and ends of their characters
PER_TOKEN = ("starts", "ends", "places", "words")  # what may be known of each token of a text

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

    kind = "pieces"

    def __init__(
        self, tokenizer_json: str, *, max_length: int, stride: int = 0, truncate: bool = False
    ) -> None:
        self._tokenizer = parse_tokenizer(tokenizer_json)
        self._single = Frame(self._tokenizer, pair=False)
        self._pair = Frame(self._tokenizer, pair=True)
        self._nothing = _nothing_id(self._tokenizer)
        most = self.shareable(max_length)
        if most < 0:
            raise ConfigError(f"max_length {max_length} leaves no room beside the special tokens of a pair")
        if not 0 <= stride <= most:
            raise ConfigError(
                f"stride {stride} does not fit max_length {max_length}: it must be at least 0 and less than "
                f"{most + 1}, half of what the special tokens of a pair leave"
            )
        self.max_length, self.stride, self.truncate = max_length, stride, truncate

    @property
    def tokenizer(self) -> Tokenizer:
        """What makes the pieces."""
        return self._tokenizer

    @property
    def room(self) -> int:
        """Tokens of a text that fit into a row, without the special ones."""
        return self.max_length - self._single.num_specials

    @property
    def around(self) -> tuple[list[int], list[int]]:
        """The special tokens before the first text of a pair, and those between both."""
        return self._pair.specials[0], self._pair.specials[1]

    def shareable(self, max_length: int) -> int:
        """How many tokens windows of this length may share: less than half of what special tokens of a pair leave."""
        return (max_length - self._pair.num_specials) // 2 - 1

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
            "kind": self.kind,
            "max_length": self.max_length,
            "stride": self.stride,
            "truncate": self.truncate,
        }

    def encode(
        self,
        texts: Sequence[str],
        pairs: Sequence[str] | None = None,
        *,
        spans: bool = False,
        places: bool = False,
    ) -> Encoded:
        """Encode texts, or texts with their `pairs`, in the order given.

        With `spans` the arrays also say which characters each token stands for: `text[start:end]` of the
        owner's first text where `origins` is 0, of its second where it is 1; 2 marks special tokens,
        whose `starts` and `ends` are 0. With `places` too, `places` counts the tokens of each text through
        all its windows and `words` the words, as the tokenizer divides them, that they are pieces of.
        """
        contents = [
            self.contents(side, spans, places) for side in ([texts] if pairs is None else [texts, pairs])
        ]
        frame = self._single if pairs is None else self._pair
        if not frame.num_specials:  # no row may be empty: attention needs something to attend to
            for position, sides in enumerate(zip(*(content["ids"] for content in contents), strict=True)):
                if not any(sides):
                    for name, rows in contents[0].items():
                        rows[position] = [self._nothing if name == "ids" else 0]
        sizes = [np.fromiter(map(len, content["ids"]), np.int64, len(content["ids"])) for content in contents]
        columns, cut = self._single_rows(*sizes) if pairs is None else self._pair_rows(*sizes)
        return self._pack(frame, contents, columns, len(texts), cut)

    def documents(self, texts: Sequence[str]) -> Encoded:
        """The tokens of each text as one row of `ids`: no special tokens, no windows, whatever the length."""
        rows = self.contents(texts)["ids"]
        lengths = np.fromiter(map(len, rows), np.int64, len(rows))
        ids = np.fromiter(chain.from_iterable(rows), np.int64, int(lengths.sum()))
        return Encoded({"ids": ids, "lengths": lengths}, np.arange(len(rows)), len(rows))

    def first_part(self, text: str, room: int) -> tuple[str, int]:
        """As much of a text as `room` tokens stand for, and how many tokens that leaves out."""
        found = self.contents([text], spans=True)
        lost = max(0, len(found["ids"][0]) - room)
        return (text[: found["ends"][0][room - 1]] if lost else text), lost

    def _single_rows(self, lengths: Array) -> tuple[list[list[Row]], int]:
        room = self.max_length - self._single.num_specials
        if self.truncate or lengths.max(initial=0) <= room:
            rows = [(owner, 0, min(length, room)) for owner, length in enumerate(lengths.tolist())]
            return [rows], int(np.maximum(lengths - room, 0).sum())
        found = windows(lengths, room, self.stride)
        return [list(zip(*(values.tolist() for values in found), strict=True))], 0

    def _pair_rows(self, firsts: Array, seconds: Array) -> tuple[list[list[Row]], int]:
        room = self.max_length - self._pair.num_specials
        columns: list[list[Row]] = [[], []]
        cut = 0
        for owner, (a, b) in enumerate(zip(firsts.tolist(), seconds.tolist(), strict=True)):
            room_a, room_b = (a, b) if a + b <= room else _share(a, b, room)
            if self.truncate:
                cut += max(a - room_a, 0) + max(b - room_b, 0)
                rows = [((0, min(a, room_a)), (0, min(b, room_b)))]
            else:
                rows = _aligned(self._cover(a, room_a), self._cover(b, room_b))
            for first, second in rows:
                columns[0].append((owner, *first))
                columns[1].append((owner, *second))
        return columns, cut

    def contents(self, texts: Sequence[str], spans: bool = False, places: bool = False) -> Contents:
        """The `ids` of every text without special tokens, and what `encode` tells of them with `spans` and `places`."""
        batch = list(texts)
        encode = self._tokenizer.encode_batch if spans else self._tokenizer.encode_batch_fast
        try:
            encodings = encode(batch, add_special_tokens=False)
        except TypeError:  # half a surrogate pair, which JSON escapes can smuggle into a str
            batch = [text.encode("utf-8", "replace").decode("utf-8") for text in batch]
            encodings = encode(batch, add_special_tokens=False)
        contents = {"ids": [encoding.ids for encoding in encodings]}
        if spans:
            offsets = [encoding.offsets for encoding in encodings]
            contents["starts"] = [[start for start, _ in row] for row in offsets]
            contents["ends"] = [[end for _, end in row] for row in offsets]
        if spans and places:
            contents["places"] = [list(range(len(row))) for row in contents["ids"]]
            contents["words"] = [[word or 0 for word in encoding.word_ids] for encoding in encodings]
        return contents

    def _cover(self, length: int, room: int) -> list[Span]:
        """The windows of one sequence."""
        if length <= room:
            return [(0, length)]
        _, starts, ends = windows(np.array([length]), room, self.stride)
        return list(zip(starts.tolist(), ends.tolist(), strict=True))

    def _pack(
        self, frame: Frame, contents: list[Contents], columns: list[list[Row]], num_texts: int, cut: int
    ) -> Encoded:
        """Frame the rows with special tokens and lay them end to end."""

        def held(name: str) -> list[list[list[int]]]:
            sides = zip(contents, columns, strict=True)
            return [[side[name][text][start:end] for text, start, end in rows] for side, rows in sides]

        ids = held("ids")
        owners = np.fromiter((text for text, _, _ in columns[0]), np.int64, len(columns[0]))
        lengths = np.full(len(owners), frame.num_specials, dtype=np.int64)
        for column in ids:
            lengths += np.fromiter(map(len, column), np.int64, len(column))
        total = int(lengths.sum())
        arrays = {"ids": frame.ids(ids, total), "segments": frame.segments(ids, total), "lengths": lengths}
        if "starts" in contents[0]:
            arrays["origins"] = frame.origins(ids, total)
            known = [name for name in PER_TOKEN if name in contents[0]]
            arrays |= {name: frame.offsets(held(name), total) for name in known}
        return Encoded(arrays, owners, num_texts, cut)


def written(encoded: Encoded, texts: Sequence[str], pairs: Sequence[str] | None = None) -> list[str]:
    """What each token stands for in its text, nothing for special ones; of texts encoded with `spans`."""
    sides, arrays = (texts, pairs or texts), encoded.arrays
    owners = np.repeat(encoded.owners, arrays["lengths"])
    columns = (arrays["origins"], owners, arrays["starts"], arrays["ends"])
    return [
        sides[origin][owner][start:end] if origin < 2 else ""
        for origin, owner, start, end in zip(*(column.tolist() for column in columns), strict=True)
    ]


def without_spans(encoded: Encoded) -> Encoded:
    """What `encode` gives where no spans are asked for."""
    return replace(encoded, arrays={name: encoded.arrays[name] for name in ("ids", "segments", "lengths")})


def _share(a: int, b: int, room: int) -> tuple[int, int]:
    """How many of `room` tokens texts of `a` and `b` tokens get, when both together do not fit."""
    half = room // 2
    if a <= half:
        return a, room - a
    if b <= half:
        return room - b, b
    return room - half, half


def _aligned(firsts: list[Span], seconds: list[Span]) -> list[tuple[Span, Span]]:
    """As many rows as the longer list has windows, each with the other's window at the same place."""
    n = max(len(firsts), len(seconds))
    return [(firsts[i * len(firsts) // n], seconds[i * len(seconds) // n]) for i in range(n)]


def _nothing_id(tokenizer: Tokenizer) -> int:
    """What stands for a text without tokens: the unknown token, else the first special one."""
    unknown = getattr(tokenizer.model, "unk_token", None)
    known = tokenizer.token_to_id(unknown) if unknown else None
    added = tokenizer.get_added_tokens_decoder()
    return min((i for i, token in added.items() if token.special), default=0) if known is None else known


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
