"""Attention, written once: scores become weights in `mix`, and every architecture calls `attend`."""

from __future__ import annotations

import math

import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor


def mix(
    scores: Float[Tensor, "*batch queries keys"],
    mask: Bool[Tensor, "*#batch #queries keys"] | None = None,
    dropout: float = 0.0,
) -> Float[Tensor, "*batch queries keys"]:
    """Turn scores into attention weights: softmax over the keys that `mask` allows (True = may attend).

    A query that may attend to nothing gets weights of zero rather than NaN.
    """
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    weights = scores.softmax(-1)
    if mask is not None:
        weights = weights.masked_fill(~mask.any(-1, keepdim=True), 0.0)
    return F.dropout(weights, dropout) if dropout else weights


def attend(
    q: Float[Tensor, "batch heads queries head_width"],
    k: Float[Tensor, "batch heads keys head_width"],
    v: Float[Tensor, "batch heads keys head_width"],
    *,
    mask: Bool[Tensor, "#batch #heads #queries keys"] | None = None,
    bias: Float[Tensor, "#batch #heads queries keys"] | None = None,
    scale: float | None = None,
    dropout: float = 0.0,
    need_weights: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """Scaled dot-product attention (Vaswani et al. 2017, eq. 1): softmax(q k^T * scale + bias) v.

    `scale` is 1/sqrt(head_width) unless given; `bias` is added to the scores, `mask` forbids.
    Returns the mixed values, shaped as `q`, and the weights (batch, heads, queries, keys) or None.
    With `need_weights` the written-out form runs, which is also the reference for the fused kernel.
    It runs too where gradients are wanted on a CPU, whose fused backward pass is ten times slower.
    """
    if need_weights or (q.requires_grad and q.device.type == "cpu"):
        scale = 1.0 / math.sqrt(q.shape[-1]) if scale is None else scale
        scores = (q @ k.transpose(-2, -1)) * scale
        weights = mix(scores if bias is None else scores + bias, mask, dropout)
        return weights @ v, weights if need_weights else None
    return F.scaled_dot_product_attention(q, k, v, _additive(mask, bias), dropout, scale=scale), None


def _additive(mask: Tensor | None, bias: Tensor | None) -> Tensor | None:
    """The one place where a mask becomes a bias (only when there is a bias to join)."""
    if bias is None or mask is None:
        return mask if bias is None else bias
    return bias.masked_fill(~mask, -math.inf)
