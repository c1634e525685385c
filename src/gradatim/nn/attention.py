"""Attention, written once: scores become weights in `mix`, and every architecture calls `attend`."""

from __future__ import annotations

import math
from functools import cache
from importlib.util import find_spec
from typing import cast

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from gradatim.nn.masks import visible
from gradatim.nn.packed import Layout
from gradatim.nn.recomputed import recomputed

WIDEST = 256  # head that the kernel for packed rows knows


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
    bias: Float[Tensor, "#batch heads queries keys"] | None = None,
    scale: float | None = None,
    dropout: float = 0.0,
    need_weights: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """Scaled dot-product attention (Vaswani et al. 2017, eq. 1): softmax(q k^T * scale + bias) v.

    `scale` is 1/sqrt(head_width) unless given; `bias` is added to the scores, `mask` forbids.
    Returns the mixed values, shaped as `q`, and the weights (batch, heads, queries, keys) or None.
    With `need_weights` the written-out form runs, which is also the reference for the fast ones: torch's fused
    kernel, and `recomputed` where gradients are wanted on a CPU.
    """
    scale = 1.0 / math.sqrt(q.shape[-1]) if scale is None else scale
    if need_weights:
        scores = (q @ k.transpose(-2, -1)) * scale
        weights = mix(scores if bias is None else scores + bias, mask, dropout)
        return weights @ v, weights
    wanted = any(x is not None and x.requires_grad for x in (q, k, v, bias))
    if wanted and q.device.type == "cpu" and torch.is_grad_enabled():
        return recomputed(q, k, v, mask, bias, scale, dropout), None
    return F.scaled_dot_product_attention(q, k, v, _additive(mask, bias), dropout, scale=scale), None


def attend_near(
    q: Float[Tensor, "batch heads length head_width"],
    k: Float[Tensor, "batch heads length head_width"],
    v: Float[Tensor, "batch heads length head_width"],
    window: int,
    *,
    causal: bool = False,
    mask: Bool[Tensor, "batch 1 1 length"] | None = None,
    scale: float | None = None,
    dropout: float = 0.0,
) -> Float[Tensor, "batch heads length head_width"]:
    """Attention to keys at most `window` tokens away, at a cost linear in length (Beltagy et al. 2020, 3.1).

    Queries go in chunks of `window`; each chunk attends to itself and to its two neighbours.
    """
    batch, heads, length, head_width = q.shape
    chunks = -(-length // window)
    before, after = window, 0 if causal else window
    missing = chunks * window - length
    reach = before + window + after  # the keys that a chunk can see

    def neighbourhoods(x: Tensor) -> Tensor:
        """(batch * chunks, heads, reach, head_width): each chunk with its neighbours, zeros outside."""
        padded = F.pad(x, (0, 0, before, missing + after))
        return padded.unfold(2, reach, window).permute(0, 2, 1, 4, 3).reshape(-1, heads, reach, head_width)

    inside = q.new_ones(batch, length, dtype=torch.bool) if mask is None else mask[:, 0, 0]
    inside = F.pad(inside, (before, missing + after)).unfold(1, reach, window).reshape(-1, 1, 1, reach)
    seen = visible(window, reach, first=before, causal=causal, window=window, device=q.device)
    queries = F.pad(q, (0, 0, 0, missing)).view(batch, heads, chunks, window, head_width)
    queries = queries.transpose(1, 2).flatten(0, 1)
    mixed, _ = attend(
        queries, neighbourhoods(k), neighbourhoods(v), mask=seen & inside, scale=scale, dropout=dropout
    )
    joined = mixed.view(batch, chunks, heads, window, head_width).transpose(1, 2).flatten(2, 3)
    return joined[:, :, :length]


def attend_packed(
    q: Float[Tensor, "queries heads head_width"],
    k: Float[Tensor, "keys heads head_width"],
    v: Float[Tensor, "keys heads head_width"],
    rows: Layout,
    memory: Layout,
    *,
    causal: bool = False,
    window: int | None = None,
    scale: float | None = None,
) -> Float[Tensor, "queries heads head_width"]:
    """`attend` over packed rows as they lie, without padding: row i of `rows` sees row i of `memory`.

    On GPUs, where `packs` says so (Dao 2023: the kernel for rows of any lengths).
    """
    from torch.nn.attention.varlen import varlen_attn

    reach = -1 if window is None else window
    mixed = varlen_attn(
        q, k, v, rows.bounds, memory.bounds, int(rows.sizes.max()), int(memory.sizes.max()),
        scale=scale, window_size=(reach, 0 if causal else reach),
    )  # fmt: skip
    return cast(Tensor, mixed)


def packs(x: Float[Tensor, "*tokens head_width"]) -> bool:
    """Whether `attend_packed` can be used for queries like these: in 16 bits, on a GPU since Ampere."""
    fits = x.dtype in (torch.bfloat16, torch.float16) and x.shape[-1] % 8 == 0 and x.shape[-1] <= WIDEST
    return x.is_cuda and fits and _has_kernel(x.device)


@cache
def _has_kernel(device: torch.device) -> bool:
    """Whether this GPU can run it, and this torch has it (since 2.10)."""
    capable = torch.cuda.get_device_capability(device) >= (8, 0)
    return capable and find_spec("torch.nn.attention.varlen") is not None


def _additive(mask: Tensor | None, bias: Tensor | None) -> Tensor | None:
    """The one place where a mask becomes a bias (only when there is a bias to join)."""
    if bias is None or mask is None:
        return mask if bias is None else bias
    return bias.masked_fill(~mask, -math.inf)
