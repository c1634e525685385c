"""A language model in both directions: every word from those before it, and from those after it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from gradatim.errors import ConfigError
from gradatim.models.inputs import Inputs
from gradatim.models.language import LanguageModel
from gradatim.nn.stack import Trace
from gradatim.objectives.base import IGNORED, Batch
from gradatim.objectives.rows import cut
from gradatim.objectives.words import WordScored
from gradatim.text.windows import ragged
from gradatim.types import Array


class BothWays(WordScored[LanguageModel]):
    """-log p(w_k | w_1 ... w_{k-1}) - log p(w_k | w_{k+1} ... w_N), a mean over words each (Peters et al. 2018, 3.1).

    `words` (tokens,) number the rows of `letters` (different words, letters), `targets` (tokens,) what is predicted,
    IGNORED where it has no number. Documents of these `sizes` are kept apart, in rows of at most `length` words.
    While a model learns, with `sampled` the right word is told among those of the batch alone, whose logits lose the
    logarithm of how likely each was to be there (Jean et al. 2015, section 3.2).
    """

    def __init__(
        self,
        letters: Array,
        words: Array,
        targets: Array,
        sizes: Array,
        length: int,
        *,
        sampled: bool = False,
    ) -> None:
        self.letters, self.words, self.targets = letters, words, targets
        self.starts, self.lengths = cut(np.cumsum(sizes) - sizes, sizes, length)
        kept = self.lengths > 1
        self.starts, self.lengths = self.starts[kept], self.lengths[kept]
        if not len(self.starts):
            raise ConfigError("no document has two words: there is nothing to predict")
        counts = np.bincount(targets[targets != IGNORED])
        self.shares = torch.from_numpy(counts / max(1, counts.sum())) if sampled else None

    @property
    def sizes(self) -> Array:
        return self.lengths

    def collate(self, rows: Array, seed: int = 0) -> Batch:
        lengths = self.lengths[rows]
        tokens = ragged(self.starts[rows], lengths)
        inputs = Inputs.of({"ids": self.letters[self.words[tokens]], "lengths": lengths})
        targets = torch.from_numpy(self.targets[tokens].astype(np.int64))
        first = np.cumsum(lengths) - lengths
        ahead, behind = targets.clone(), targets.clone()
        ahead[first] = IGNORED  # nothing comes before it
        behind[first + lengths - 1] = IGNORED
        return Batch(inputs, {"forward": ahead, "backward": behind}, rows)

    def among(
        self, weight: Tensor, bias: Tensor | None, targets: Tensor
    ) -> tuple[Tensor, Tensor | None, Tensor]:
        known = targets != IGNORED
        if self.shares is None or bias is None or not known.any():
            return weight, bias, targets
        words, places = torch.unique(targets[known], return_inverse=True)
        there = -torch.expm1(len(places) * torch.log1p(-self.shares.to(words.device)[words]))
        own = torch.full_like(targets, IGNORED).masked_scatter(known, places)
        return weight.index_select(0, words), bias.index_select(0, words) - there.log().to(bias.dtype), own

    def states(self, model: LanguageModel, batch: Batch, trace: Trace | None = None) -> dict[str, Tensor]:
        inputs = batch.inputs
        both = model.body(inputs.ids, inputs.layout, None, trace)[: inputs.num_tokens]
        left, right = both.chunk(2, dim=-1)
        # What has read up to word k - 1 predicts word k; at the ends of rows targets are ignored.
        return {"forward": left.roll(1, 0), "backward": right.roll(-1, 0)}
