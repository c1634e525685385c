"""Causal language modelling: every token from those before it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from gradatim.errors import ConfigError
from gradatim.models.inputs import Inputs, PackedTexts
from gradatim.models.language import LanguageModel
from gradatim.nn.stack import Trace
from gradatim.objectives.base import Batch
from gradatim.objectives.rows import cut
from gradatim.objectives.words import WordScored
from gradatim.text.windows import ragged
from gradatim.types import Array


class CausalLanguage(WordScored[LanguageModel]):
    """-log p(u_i | u_{i-k}, ..., u_{i-1}), mean over tokens (Radford et al. 2018, eq. 1).

    Each text is a document, which `end_id` closes if given. Documents are kept apart, each cut into
    rows of at most `length` tokens; or `carried`: joined into one stream first, so that all rows are
    full and a row may run from one document into the next.
    """

    def __init__(
        self, texts: PackedTexts, length: int, *, end_id: int | None = None, carried: bool = False
    ) -> None:
        self.ids, sizes = joined(texts, end_id)
        streams = np.array([len(self.ids)]) if carried else sizes
        # The last token of a stream is only predicted, never read.
        self.starts, self.lengths = cut(np.cumsum(streams) - streams, np.maximum(streams - 1, 0), length)
        if not len(self.starts):
            raise ConfigError("no document has two tokens: there is nothing to predict")

    @property
    def sizes(self) -> Array:
        return self.lengths

    def collate(self, rows: Array, seed: int = 0) -> Batch:
        tokens = ragged(self.starts[rows], self.lengths[rows])
        inputs = Inputs.of({"ids": self.ids[tokens], "lengths": self.lengths[rows]})
        following = np.asarray(self.ids[tokens + 1], dtype=np.int64)
        return Batch(inputs, {"next": torch.from_numpy(following)}, rows)

    def states(self, model: LanguageModel, batch: Batch, trace: Trace | None = None) -> dict[str, Tensor]:
        inputs = batch.inputs
        states = model.body(inputs.ids, inputs.layout, inputs.segments, trace)
        return {"next": states[: inputs.num_tokens]}


def joined(texts: PackedTexts, end_id: int | None) -> tuple[Array, Array]:
    """All texts as one run of ids, each closed by `end_id` if given, and how many ids each then has."""
    if end_id is None:
        return texts.ids, texts.sizes
    return np.insert(texts.ids, np.cumsum(texts.sizes), end_id), texts.sizes + 1
