"""Fresh weights of an encoder-decoder that already look: near by, and at the same token of the source.

Where to look is what a Transformer learns last, in short runs never (benchmarks/NOTES.md). That some tokens are more
frequent it learns first, and forgets meanwhile where it looked: so it is told that too.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from gradatim.models.language import Seq2Seq
from gradatim.nn.multihead import Attention
from gradatim.nn.positions import RelativeBias
from gradatim.objectives.corruption import SpanCorruption

BEHIND = 8.0  # by how much less a head sees what lies on its other side
SAME = 4.0  # one number of every word vector, whose others are about 1


@torch.no_grad()
def prime(model: Seq2Seq, objective: SpanCorruption) -> None:
    """Change the fresh weights of a T5 whose output is not tied, in place.

    Scores fall with distance, by 4^-i in a pair of heads or a causal head i (after Press et al. 2022, section 3), keys
    of a source begin as queries, and the output begins at the logarithms of frequencies.
    """
    for part in model.modules():
        if isinstance(part, RelativeBias):
            part.table.weight.copy_(near(part))
        if isinstance(part, Attention) and hasattr(part, "q"):
            scale, whole = part.config.scale, part.config.head_width**0.5
            part.kv.weight[: part.out.in_features] = part.q.weight * (1.0 if scale is None else scale * whole)
    for side in (model.encoder, model.decoder):
        side.embedding.words.weight[:, 0] = SAME
    batch = objective.collate(np.arange(min(64, len(objective.sizes))))
    read = objective.states(model, batch)["target"][:, 0].mean()
    words = model.head.linear.weight
    logarithms = torch.from_numpy(np.log(objective.written(len(words)) + 1))
    words[:, 0] = (logarithms - logarithms.mean()) / read


def near(bias: RelativeBias) -> Tensor:
    """A table of biases (buckets, heads) that fall with distance; every other head that looks both ways looks ahead."""
    buckets, heads = bias.table.weight.shape
    reach = torch.arange(-bias.max_distance, 1 if bias.causal else bias.max_distance + 1)
    bucket = bias.bucket(reach)
    reached = torch.bincount(bucket, minlength=buckets).clamp(min=1)  # not every one is
    distance = torch.bincount(bucket, reach.abs().float(), buckets) / reached
    head = torch.arange(heads)
    if bias.causal:
        return -distance[:, None] * 0.25**head
    ahead = torch.zeros(buckets, dtype=torch.bool).index_fill_(0, bucket[reach > 0], True)
    other = ahead[:, None] != (head % 2 == 1)
    return -distance[:, None] * 0.25 ** (head // 2) - BEHIND * other
