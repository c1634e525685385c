"""Masks: bool, True = may attend."""

from __future__ import annotations

import torch
from jaxtyping import Bool
from torch import Tensor


def visible(
    queries: int,
    keys: int,
    *,
    first: int = 0,
    causal: bool = False,
    window: int | None = None,
    device: torch.device | None = None,
) -> Bool[Tensor, "queries keys"]:
    """Which keys each query may see, where the first query stands at key `first`.

    `causal` hides what comes after a query, `window` what is more than so many tokens away.
    """
    places = torch.arange(first, first + queries, device=device)
    distance = torch.arange(keys, device=device) - places[:, None]
    seen = distance <= 0 if causal else torch.ones_like(distance, dtype=torch.bool)
    return seen if window is None else seen & (distance.abs() <= window)
