"""Attention before the Transformer: how well a decoder's state fits each state of a source."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from gradatim.errors import ConfigError
from gradatim.nn.attention import attend, mix

Score = Literal["dot", "general", "additive"]


class Scorer(nn.Module):
    """The context of a query s among memory states h: the mean of the h, weighted by softmax(score(s, h)).

    dot       s . h                                (Luong et al. 2015, eq. 8)
    general   s . W h                              (the same)
    additive  v . tanh(W s + U h)                  (Bahdanau et al. 2015, appendix A.1.2; "concat" of Luong et al.)
    """

    def __init__(self, score: Score, query_width: int, memory_width: int) -> None:
        super().__init__()
        if score == "dot" and query_width != memory_width:
            raise ConfigError(
                f"score dot compares states of one width: the decoder's have {query_width}, the source's {memory_width}"
            )
        self.score = score
        self.key = nn.Identity() if score == "dot" else nn.Linear(memory_width, query_width, bias=False)
        if score == "additive":
            self.query = nn.Linear(query_width, query_width)
            self.value = nn.Linear(query_width, 1, bias=False)

    def keys(self, memory: Float[Tensor, "rows source memory"]) -> Float[Tensor, "rows source query"]:
        """What queries are compared with, made once for all of them."""
        return self.key(memory)  # type: ignore[no-any-return]

    def forward(
        self,
        queries: Float[Tensor, "rows queries query"],
        keys: Float[Tensor, "rows source query"],
        memory: Float[Tensor, "rows source memory"],
        mask: Bool[Tensor, "rows 1 source"] | None,
    ) -> tuple[Float[Tensor, "rows queries memory"], Float[Tensor, "rows queries source"]]:
        """The context of each query, and the weights it is made with; `mask` tells the source from what pads it."""
        if self.score == "additive":
            sums = self.query(queries)[:, :, None] + keys[:, None]
            weights = mix(self.value(torch.tanh(sums))[..., 0], mask)
            return weights @ memory, weights
        q, k, v = (part[:, None] for part in (queries, keys, memory))
        context, found = attend(
            q, k, v, mask=None if mask is None else mask[:, None], scale=1.0, need_weights=True
        )
        assert found is not None
        return context[:, 0], found[:, 0]
