"""Masked language modelling: hidden words from what is on both sides of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gradatim.errors import ConfigError
from gradatim.models.inputs import Inputs, PackedTexts
from gradatim.models.language import LanguageModel
from gradatim.nn.stack import Trace
from gradatim.objectives.base import Batch
from gradatim.objectives.draws import choose, uniform
from gradatim.objectives.words import WordScored
from gradatim.types import Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Masking:
    """Which tokens are hidden, and behind what: of the chosen `share`, 80 % become the mask token, 10 %
    a random one and 10 % stay (Devlin et al. 2019, section 3.1, task 1).

    `specials` are never chosen. With `continues` (vocabulary,), true for pieces that continue a
    word, words are chosen whole; their pieces are then replaced one by one.
    """

    mask_id: int
    vocab_size: int
    specials: tuple[int, ...] = ()
    share: float = 0.15
    masked: float = 0.8
    random: float = 0.1
    continues: Array | None = None

    def __post_init__(self) -> None:
        if not 0 < self.share < 1 or self.masked < 0 or self.random < 0 or self.masked + self.random > 1:
            raise ConfigError(
                f"share {self.share} must lie between 0 and 1, and masked {self.masked} and random {self.random} "
                "must be shares of at most 1 together"
            )

    def batch(self, inputs: Inputs, sizes: Array, rows: Array, seed: int) -> Batch:
        """Fresh inputs as a batch: words hidden, and what they were as targets."""
        ids = inputs.ids.numpy()[: inputs.num_tokens]
        shown, at = self.hide(ids, sizes, rows, seed)
        targets = {"masked": torch.from_numpy(ids[at])}
        ids[:] = shown
        return Batch(inputs, targets, rows, at=torch.from_numpy(at))

    def hide(self, ids: Array, sizes: Array, examples: Array, seed: int) -> tuple[Array, Array]:
        """What the model reads instead of `ids`, and the places where words are hidden, in order.

        `ids` holds the tokens of one example after another, `sizes` of each. Of each example, `share`
        of its tokens (specials not counted) are hidden, at least one.
        """
        rows = np.repeat(np.arange(len(sizes)), sizes)
        keys = (examples[rows], np.arange(len(ids)) - (np.cumsum(sizes) - sizes)[rows])
        at = np.flatnonzero(~np.isin(ids, self.specials))
        begins = np.ones(len(at), dtype=bool)
        if self.continues is not None:
            follows = (np.diff(at, prepend=-2) == 1) & (np.diff(rows[at], prepend=-1) == 0)
            begins = ~(follows & self.continues[ids[at]])
        heads = at[begins]
        word = np.cumsum(begins) - 1
        room = np.rint(self.share * np.bincount(rows[at], minlength=len(sizes)))
        order = uniform(seed, 0, *(key[heads] for key in keys))
        at = at[choose(order, rows[heads], room, np.bincount(word, minlength=len(heads)))[word]]
        fate, other = (uniform(seed, draw, *(key[at] for key in keys)) for draw in (1, 2))
        kept = np.where(
            fate < self.masked + self.random, (other * self.vocab_size).astype(ids.dtype), ids[at]
        )
        shown = ids.copy()
        shown[at] = np.where(fate < self.masked, self.mask_id, kept)
        return shown, at


class MaskedLanguage(WordScored[LanguageModel]):
    """-log p(word | what is left), mean over the hidden places (Devlin et al. 2019, section 3.1, task 1).

    Places are drawn anew with every seed (Liu et al. 2019, section 4.1). Only they get logits.
    """

    def __init__(self, texts: PackedTexts, masking: Masking) -> None:
        self.texts = texts
        self.masking = masking

    @property
    def sizes(self) -> Array:
        return self.texts.sizes

    def collate(self, rows: Array, seed: int = 0) -> Batch:
        return self.masking.batch(self.texts.take(rows), self.sizes[rows], rows, seed)

    def states(self, model: LanguageModel, batch: Batch, trace: Trace | None = None) -> dict[str, Tensor]:
        inputs = batch.inputs
        assert batch.at is not None
        states = model.body(inputs.ids, inputs.layout, inputs.segments, trace)
        return {"masked": states.index_select(0, batch.at)}
