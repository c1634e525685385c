"""A chain of tags: how likely the right ones are among all sequences that a row could have."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


class Chain(nn.Module):
    """Scores of a tag after another, `transitions` (tags + 1, tags), the last line of what begins a row; to be learned
    with those of tags for words (Lafferty et al. 2001; Lample et al. 2016, eq. 1).

    `gradatim.engine.chain` reads such chains.
    """

    def __init__(self, num_tags: int) -> None:
        super().__init__()
        self.transitions = nn.Parameter(torch.zeros(num_tags + 1, num_tags))

    def forward(
        self, scores: Float[Tensor, "words tags"], tags: Int[Tensor, " words"], lengths: np.ndarray
    ) -> Float[Tensor, ""]:
        """-ln p of the tags of all rows, summed; rows of so many words lie end to end."""
        lengths = lengths[lengths > 0]
        starts = np.cumsum(lengths) - lengths
        order = np.argsort(-lengths, kind="stable")
        counts = (lengths[order][None] > np.arange(lengths.max(initial=0))[:, None]).sum(axis=1)
        firsts = torch.from_numpy(starts[order])
        begin, between = self.transitions[-1], self.transitions[:-1]
        paths, done = scores.new_zeros(len(lengths), scores.shape[1]), []
        for place, count in enumerate(counts.tolist()):
            done.append(paths[count:])  # of rows that are over
            ways = begin if place == 0 else (paths[:count, :, None] + between).logsumexp(1)
            paths = scores[firsts[:count] + place] + ways
        every = torch.cat([*done, paths]).logsumexp(1).sum()
        before = tags.roll(1)
        before[torch.from_numpy(starts)] = scores.shape[1]
        return every - scores.gather(1, tags[:, None]).sum() - self.transitions[before, tags].sum()
