"""A causal model as a scorer of texts: what pipelines ask of any language model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from gradatim.models.inputs import Inputs, ragged
from gradatim.models.language import LanguageModel
from gradatim.text.pieces import PieceEncoder
from gradatim.types import Array

CELLS = 1 << 24  # logits held at once
UNKNOWN = ("<unk>", "[UNK]")  # what tokenizers call it
MAX_TOKENS = 8192  # read at once, about


class LanguageScorer:
    """ln p of every token of texts that stand alone: each begins after the end of another, `end`.

    Rows longer than the model can read are read in windows that overlap by half, so that a token has at
    least half a window before it.
    """

    def __init__(
        self,
        model: LanguageModel,
        tokenizer: str,
        *,
        end: int,
        bf16: bool = False,
    ) -> None:
        self.model = model.eval()
        self.pieces = PieceEncoder(tokenizer, max_length=8)
        self.tokenizer = Tokenizer.from_str(tokenizer)
        self.start = self.end = end
        unknown = (self.tokenizer.token_to_id(name) for name in UNKNOWN)
        self.unknown = next((token for token in unknown if token is not None), -1)
        self.bf16 = bf16

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
        starts = np.cumsum(sizes) - sizes
        for start, length, new in self._batches(starts, sizes):
            begins = np.cumsum(length - 1) - (length - 1)  # of each row, in the batch
            scored = ragged(start + length - new, new)
            before = torch.from_numpy(ragged(begins + length - new - 1, new))
            result[scored] = self._scores(ids[ragged(start, length - 1)], length - 1, before, ids[scored])
        return result

    def distribution(self, context: Sequence[int]) -> Array:
        """ln p of every token after these, (vocabulary,)."""
        longest = self.model.body.config.longest
        ids = np.array(context[-longest:] if longest else context)
        states = self._states(ids, np.array([len(ids)]))[-1:]
        with torch.inference_mode():
            scores: Array = self.model.head(states).float().log_softmax(-1)[0].cpu().numpy()
        return scores

    def _batches(self, starts: Array, sizes: Array) -> Iterator[tuple[Array, Array, Array]]:
        """Rows or windows of similar length: where they start, how many tokens they have, how many are new."""
        longest = self.model.body.config.longest
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

    def _states(self, ids: Array, sizes: Array) -> Tensor:
        device = next(self.model.parameters()).device
        inputs = Inputs.of({"ids": ids, "lengths": sizes}, fill=1).to(device)
        with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=self.bf16):
            states: Tensor = self.model.body(inputs.ids, inputs.layout)
        return states

    def _scores(self, ids: Array, sizes: Array, at: Tensor, wanted: Array) -> Array:
        """ln p of the wanted tokens, each after the token at `at`."""
        states = self._states(ids, sizes)
        states = states.index_select(0, at.to(states.device))
        targets = torch.from_numpy(wanted).to(states.device)
        head: Any = self.model.head
        step = max(1, CELLS // head.output.weight.shape[0])
        found = []
        with torch.inference_mode(), torch.autocast(states.device.type, torch.bfloat16, enabled=self.bf16):
            for begin in range(0, len(states), step):
                logits = head(states[begin : begin + step]).float()
                right = logits.gather(1, targets[begin : begin + step, None])[:, 0]
                found.append(right - logits.logsumexp(1))
        scores: Array = torch.cat(found).cpu().numpy()
        return scores
