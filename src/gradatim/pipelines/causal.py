"""Texts to tokens and windows of them, for any language session: what `pipelines.language` asks of a model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from gradatim.decode.window import Windowed
from gradatim.text.pieces import PieceEncoder
from gradatim.text.stream import single_bytes
from gradatim.text.windows import ragged
from gradatim.types import Array, LanguageSession, Stepper

UNKNOWN = ("<unk>", "[UNK]")  # what tokenizers call it
MAX_TOKENS = 8192  # read at once, about


class CausalLanguage:
    """ln p of every token of texts that stand alone: each begins after the end of another, `end`.

    Rows longer than the model can read are read in windows that overlap by half, so that a token has at
    least half a window before it.
    """

    def __init__(self, session: LanguageSession, tokenizer: str, *, end: int) -> None:
        self.session = session
        self.pieces = PieceEncoder(tokenizer, max_length=8)
        self.tokenizer = self.pieces.tokenizer
        self.start = self.end = end
        self.stepper: Stepper = session if session.longest is None else Windowed(session, session.longest)
        self.loose = single_bytes(self.tokenizer)
        unknown = (self.tokenizer.token_to_id(name) for name in UNKNOWN)
        self.unknown = next((token for token in unknown if token is not None), -1)

    def encode(self, texts: Sequence[str]) -> tuple[Array, Array]:
        """All texts as tokens, `end` before and after each, and how many tokens each then has."""
        arrays = self.pieces.documents(texts).arrays
        sizes = arrays["lengths"] + 2
        ends = np.cumsum(sizes)
        ids = np.full(int(sizes.sum()), self.end, dtype=np.int64)
        inner = np.ones(len(ids), dtype=bool)
        inner[ends - 1] = inner[ends - sizes] = False
        ids[inner] = arrays["ids"]
        return ids, sizes

    def decode(self, ids: Sequence[int]) -> str:
        """Tokens as text."""
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=False))

    def log_probs(self, ids: Array, sizes: Array) -> Array:
        """ln p of each token of rows of these sizes given those before it, (tokens,); 0 for the first of a row."""
        result = np.zeros(len(ids))
        for start, length, new in self._batches(np.cumsum(sizes) - sizes, sizes):
            read = ragged(start, length - 1)
            following = read + 1
            asked = np.arange(len(read)) >= np.repeat(np.cumsum(length - 1) - new, length - 1)
            found = self.session.log_probs(ids[read], np.where(asked, ids[following], -1), length - 1)
            result[following[asked]] = found[asked]
        return result

    def _batches(self, starts: Array, sizes: Array) -> Iterator[tuple[Array, Array, Array]]:
        """Rows or windows of similar length: where they start, how many tokens they have, how many are new."""
        longest = self.session.longest
        rows = []
        for start, size in zip(starts.tolist(), sizes.tolist(), strict=True):
            room = size if longest is None else longest + 1  # the last token is only predicted
            end = min(size, room)
            rows.append((start, end, end - 1))
            while end < size:
                more = min(size - end, room // 2)
                end += more
                rows.append((start + end - room, room, more))
        columns = np.array(sorted(rows, key=lambda row: row[1]), dtype=np.int64).reshape(-1, 3)
        cuts = np.flatnonzero(np.diff(np.cumsum(columns[:, 1]) // MAX_TOKENS)) + 1
        for part in np.split(columns, cuts):
            if len(part):
                yield part[:, 0], part[:, 1], part[:, 2]
