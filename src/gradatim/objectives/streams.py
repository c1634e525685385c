"""Language modelling along streams: rows that go on where the batch before ended."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from gradatim.errors import ConfigError
from gradatim.models.inputs import Inputs, PackedTexts
from gradatim.models.language import LanguageModel
from gradatim.nn.stack import Trace
from gradatim.objectives.base import Batch
from gradatim.objectives.causal import joined
from gradatim.objectives.draws import uniform
from gradatim.objectives.words import WordScored
from gradatim.text.windows import ragged
from gradatim.types import Array


class StreamedLanguage(WordScored[LanguageModel]):
    """-log p(w_i | all words before), by truncated back-propagation (Mikolov et al. 2010, section 2.2).

    All texts, each closed by `end_id`, are one text, which is cut into `num_streams` of equal length. A batch
    has the next `length` tokens of every stream; the state goes from batch to batch, the gradient does not. With
    `shifted`, the places of the cuts are drawn for every epoch.
    """

    def __init__(
        self, texts: PackedTexts, length: int, *, num_streams: int, end_id: int | None, shifted: bool = False
    ) -> None:
        self.ids = joined(texts, end_id)[0]
        total = len(self.ids) - 1  # the last token is only predicted
        if total < num_streams:
            raise ConfigError(
                f"{total} tokens to predict are too few for {num_streams} streams: lower batch_size"
            )
        edges = np.arange(num_streams + 1) * total // num_streams
        self.starts, self.sizes_of_streams = edges[:-1], np.diff(edges)
        self.length, self.num_streams, self.shifted = length, num_streams, shifted
        self.num_windows = -(-int(self.sizes_of_streams.min()) // length)
        self.state: Any = None  # of every stream, where the last batch left it

    @property
    def sizes(self) -> Array:
        """Tokens of each row of an epoch that is not shifted: window by window, of each the streams in order."""
        rows = np.arange(self.num_windows * self.num_streams)
        begin, end = self._spans(rows, np.zeros(len(rows), dtype=np.int64))
        sizes: Array = end - begin
        return sizes

    def plan(self, epochs: float) -> tuple[list[Array], list[int]]:
        """The batches of a run, in the order in which the text goes on, and which of them begin an epoch."""
        batches: list[Array] = []
        begins = []
        per_epoch = self.num_windows * self.num_streams
        for epoch in range(int(np.ceil(epochs))):
            begins.append(len(batches))
            windows = max(1, round(self.num_windows * min(1.0, epochs - epoch)))
            rows = epoch * per_epoch + np.arange(windows * self.num_streams)
            batches += np.split(rows, windows)
        return batches, begins

    @property
    def carried(self) -> list[Tensor]:
        """What a run that goes on later must have kept."""
        return [] if self.state is None else self.state.tensors

    def carry(self, model: LanguageModel, tensors: list[Tensor]) -> None:
        """Go on from what was `carried`."""
        if not tensors:
            return
        self.state = cast(Any, model.body).begin(self.num_streams).detach()
        for empty, kept in zip(self.state.tensors, tensors, strict=True):
            empty.copy_(kept)

    def collate(self, rows: Array, seed: int = 0) -> Batch:
        epoch, row = np.divmod(rows, self.num_windows * self.num_streams)
        begin, end = self._spans(row, epoch)
        tokens = ragged(self.starts[row % self.num_streams] + begin, end - begin)
        # No row but the streams.
        inputs = Inputs.of({"ids": self.ids[tokens], "lengths": end - begin}, fill=1)
        following = np.asarray(self.ids[tokens + 1], dtype=np.int64)
        return Batch(inputs, {"next": torch.from_numpy(following)}, rows)

    def states(self, model: LanguageModel, batch: Batch, trace: Trace | None = None) -> dict[str, Tensor]:
        inputs, body = batch.inputs, cast(Any, model.body)
        row = batch.rows % (self.num_windows * self.num_streams)
        streams = torch.from_numpy(row % self.num_streams).to(inputs.ids.device)
        if self.state is None or row[0] < self.num_streams:  # the first window: nothing was read yet
            state = body.begin(len(streams))
        else:
            state = self.state.reorder(streams)
        states = body(inputs.ids, inputs.layout, None, trace, state=state)
        self._keep(model, state.detach(), streams)
        return {"next": states}

    def _keep(self, model: LanguageModel, state: Any, streams: Tensor) -> None:
        """Remember where these streams stand."""
        if len(streams) == self.num_streams:
            self.state = state
            return
        if self.state is None:
            self.state = cast(Any, model.body).begin(self.num_streams).detach()
        for whole, part in zip(self.state.tensors, state.tensors, strict=True):
            whole.index_copy_(whole.dim() - 2, streams, part.to(whole.dtype))

    def _spans(self, row: Array, epoch: Array) -> tuple[Array, Array]:
        """From where to where, in its stream, each row of an epoch reads; the last window takes what is left."""
        window, sizes = row // self.num_streams, self.sizes_of_streams[row % self.num_streams]
        shift = (uniform(0, 0, epoch) * self.length * (epoch > 0) * self.shifted).astype(np.int64)
        begin = np.where(window == 0, 0, window * self.length - shift)
        end = np.where(window == self.num_windows - 1, sizes, (window + 1) * self.length - shift)
        return begin, end
