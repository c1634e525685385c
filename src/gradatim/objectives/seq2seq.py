"""Sequence to sequence: every target token from the source and from the true tokens before it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from gradatim.errors import DataError
from gradatim.models.inputs import Inputs, PackedTexts
from gradatim.models.language import EncoderDecoder
from gradatim.nn.stack import Trace
from gradatim.objectives.base import Batch
from gradatim.objectives.redrawn import Redrawn
from gradatim.objectives.rows import tokens_of
from gradatim.objectives.words import WordScored
from gradatim.types import Array


class TeacherForced(WordScored[EncoderDecoder]):
    """-log p(y_t | y_<t, x), mean over target tokens, whatever the pairs are made of (Sutskever et al. 2014, eq. 1).

    The decoder reads the true target, shifted right by one behind `start_id` (Williams & Zipser 1989).
    """

    start_id: int

    def pairs(
        self, source: Array, source_lengths: Array, target: Array, lengths: Array, rows: Array
    ) -> Batch:
        """The batch of these flat sources and targets."""
        shifted = np.roll(target, 1)
        shifted[np.cumsum(lengths) - lengths] = self.start_id
        # Not filled up: row i of the decoder reads row i of the encoder.
        inputs = Inputs.of({"ids": source, "lengths": source_lengths}, fill=1)
        decoder = Inputs.of({"ids": shifted, "lengths": lengths}, fill=1)
        following = torch.from_numpy(np.asarray(target, dtype=np.int64))
        return Batch(inputs, {"target": following}, rows, decoder=decoder)

    def states(self, model: EncoderDecoder, batch: Batch, trace: Trace | None = None) -> dict[str, Tensor]:
        source, target = batch.inputs, batch.decoder
        assert target is not None
        return {"target": model.states(source.ids, source.layout, target.ids, target.layout, trace)}


class SequenceToSequence(TeacherForced):
    """Targets given with their sources, row i with row i; both end as their tokenizer ends them.

    `smoothing` spreads that share of the probability evenly over the vocabulary (Szegedy et al.
    2016, section 7; 0.1 in Vaswani et al. 2017). Raises DataError where texts have several windows:
    encode them with `truncate`. `redrawn` divides the words of sources and targets anew for every batch.
    """

    def __init__(
        self, sources: PackedTexts, targets: PackedTexts, *, start_id: int, smoothing: float = 0.0,
        redrawn: tuple[Redrawn, Redrawn] | None = None,
    ) -> None:  # fmt: skip
        if len({len(side) for texts in (sources, targets) for side in (texts, texts.lengths)}) > 1:
            raise DataError(
                f"{len(sources)} sources in {len(sources.lengths)} rows and {len(targets)} targets in "
                f"{len(targets.lengths)} rows: each must be one row"
            )
        self.sources, self.targets = sources, targets
        self.start_id, self.smoothing, self.redrawn = start_id, smoothing, redrawn

    @property
    def sizes(self) -> Array:
        return self.sources.sizes + self.targets.sizes

    def collate(self, rows: Array, seed: int = 0) -> Batch:
        if self.redrawn:
            drawn = [side.draw(rows, seed, which) for which, side in enumerate(self.redrawn)]
        else:
            drawn = [
                (side.ids[tokens_of(side, rows)], side.sizes[rows]) for side in (self.sources, self.targets)
            ]
        return self.pairs(*drawn[0], *drawn[1], rows)
