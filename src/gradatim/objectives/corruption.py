"""Span corruption: text with holes in, what filled the holes out."""

from __future__ import annotations

import numpy as np

from gradatim.errors import ConfigError
from gradatim.models.inputs import PackedTexts
from gradatim.objectives.base import Batch
from gradatim.objectives.draws import partition
from gradatim.objectives.rows import cut
from gradatim.objectives.seq2seq import TeacherForced
from gradatim.text.windows import ragged
from gradatim.types import Array


class SpanCorruption(TeacherForced):
    """Replace random spans by sentinels and write them out (Raffel et al. 2020, section 3.1.4 and figure 2).

        source   Thank you <X> me to your party <Y> </s>
        target   <X> for inviting <Y> last week . </s>

    `share` of a row's tokens are lost, in spans of `mean_span` on average; as in the published code
    rows begin with text and end with a span, and spans differ with every seed. Span j of a row has
    the sentinel `sentinel_id - j`. `texts` are documents without special tokens, kept apart and cut
    into rows of at most `length`; a row of one token is left out. Raises ConfigError if
    `num_sentinels` are too few.
    """

    def __init__(
        self,
        texts: PackedTexts,
        length: int,
        *,
        sentinel_id: int,
        num_sentinels: int = 100,
        end_id: int = 1,
        start_id: int = 0,
        share: float = 0.15,
        mean_span: float = 3.0,
    ) -> None:
        starts, lengths = cut(np.cumsum(texts.sizes) - texts.sizes, texts.sizes, length)
        long_enough = lengths > 1
        self.starts, self.lengths = starts[long_enough], lengths[long_enough]
        if not len(self.starts):
            raise ConfigError("no document has two tokens: there is nothing to lose and nothing to keep")
        self.lost = np.clip(np.rint(self.lengths * share), 1, self.lengths - 1).astype(np.int64)
        most = np.minimum(self.lost, self.lengths - self.lost)
        self.spans = np.clip(np.rint(self.lost / mean_span), 1, most).astype(np.int64)
        if (needed := int(self.spans.max())) > num_sentinels:
            raise ConfigError(
                f"rows of {length} tokens lose up to {needed} spans, for {num_sentinels} sentinels: "
                "shorten the rows or lengthen the spans"
            )
        self.texts = texts
        self.extra = np.append(sentinel_id - np.arange(needed), end_id)
        self.start_id = start_id

    @property
    def sizes(self) -> Array:
        return self.lengths + 2 * self.spans + 2

    def written(self, vocab_size: int) -> Array:
        """How often each token is to be written in one pass, about."""
        share = self.lost.sum() / self.lengths.sum()
        counts: Array = np.bincount(self.texts.ids, minlength=vocab_size) * share
        counts[self.extra[:-1]] += [np.sum(self.spans > number) for number in range(len(self.extra) - 1)]
        counts[self.extra[-1]] += len(self.lengths)
        return counts

    def collate(self, rows: Array, seed: int = 0) -> Batch:
        sizes, lost, spans = self.lengths[rows], self.lost[rows], self.spans[rows]
        text = self.texts.ids[ragged(self.starts[rows], sizes)]
        kept_runs = partition(sizes - lost, spans, rows, seed, 0)
        lost_runs = partition(lost, spans, rows, seed, 1)
        ends = np.cumsum(kept_runs + lost_runs)
        number = np.arange(len(ends)) - np.repeat(np.cumsum(spans) - spans, spans)
        last = np.append(number[1:] == 0, True).astype(np.int64)
        # Each span gives a piece of text, its sentinel and, at the end of a row, the end.
        ids = np.concatenate([text, self.extra])
        sentinel, one = len(text) + number, np.ones_like(number)
        end = one * (len(ids) - 1)
        source = _runs(ids, [ends - lost_runs - kept_runs, sentinel, end], [kept_runs, one, last])
        target = _runs(ids, [sentinel, ends - lost_runs, end], [one, lost_runs, last])
        return self.pairs(source, sizes - lost + spans + 1, target, lost + spans + 1, rows)


def _runs(ids: Array, starts: list[Array], lengths: list[Array]) -> Array:
    """The first run of every column, then the second of every column, and so on."""
    found: Array = ids[ragged(np.stack(starts, 1).ravel(), np.stack(lengths, 1).ravel())]
    return found
