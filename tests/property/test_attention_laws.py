"""Every fast path of attention is the written-out one; positions mean distances."""

from __future__ import annotations

import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from gradatim.nn.attention import attend, attend_near
from gradatim.nn.masks import visible
from gradatim.nn.positions import RelativeBias, rotate, sinusoids

HEADS, HEAD_WIDTH = 2, 6


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def close(a: Tensor, b: Tensor) -> None:
    torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)


@given(
    lengths=st.lists(st.integers(1, 23), min_size=1, max_size=3),
    window=st.integers(1, 7),
    causal=st.booleans(),
    scale=st.sampled_from([None, 1.0]),
)
@settings(max_examples=60, deadline=None)
def test_near_attention_is_full_attention_under_a_window(
    lengths: list[int], window: int, causal: bool, scale: float | None
) -> None:
    rows, length = len(lengths), max(lengths)
    q, k, v = (draw(rows, HEADS, length, HEAD_WIDTH, seed=i) for i in range(3))
    inside = (torch.arange(length) < torch.tensor(lengths)[:, None])[:, None, None]
    full = attend(q, k, v, mask=inside & visible(length, length, causal=causal, window=window), scale=scale)[
        0
    ]
    near = attend_near(q, k, v, window, causal=causal, mask=inside, scale=scale)
    for i, n in enumerate(lengths):
        close(near[i, :, :n], full[i, :, :n])


@given(
    queries=st.integers(1, 5), keys=st.integers(1, 7), masked=st.booleans(), biased=st.booleans(),
    scale=st.sampled_from([None, 1.0, 0.3]),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_fused_attention_is_the_written_out_one(
    queries: int, keys: int, masked: bool, biased: bool, scale: float | None
) -> None:
    q, k, v = draw(3, HEADS, queries, HEAD_WIDTH), *(draw(3, HEADS, keys, HEAD_WIDTH, seed=i) for i in (1, 2))
    mask = (draw(3, 1, queries, keys, seed=3) > 0) if masked else None
    if mask is not None:
        mask[..., 0] = True
    bias = draw(1, HEADS, queries, keys, seed=4) if biased else None
    fused = attend(q, k, v, mask=mask, bias=bias, scale=scale)[0]
    close(fused, attend(q, k, v, mask=mask, bias=bias, scale=scale, need_weights=True)[0])


@given(shift=st.integers(0, 40))
@settings(max_examples=30, deadline=None)
def test_rotated_products_depend_on_distance_alone(shift: int) -> None:
    q, k = draw(1, HEADS, 5, HEAD_WIDTH), draw(1, HEADS, 5, HEAD_WIDTH, seed=1)
    at = torch.arange(5)[None]

    def product(positions: Tensor) -> Tensor:
        return rotate(q, positions) @ rotate(k, positions).transpose(-1, -2)

    torch.testing.assert_close(product(at), product(at + shift), atol=1e-4, rtol=1e-3)
    close(rotate(q, torch.zeros_like(at)), q)


def test_sinusoids_are_the_papers_in_both_channel_orders() -> None:
    width, length = 8, 11
    table = sinusoids(length, width)
    for p in range(length):
        for i in range(width // 2):
            angle = p / 10000 ** (2 * i / width)
            assert math.isclose(table[p, 2 * i], math.sin(angle), abs_tol=1e-5)
            assert math.isclose(table[p, 2 * i + 1], math.cos(angle), abs_tol=1e-5)
    halves = sinusoids(length, width, "halves")
    close(halves, torch.cat([table[:, ::2], table[:, 1::2]], 1))


@given(buckets=st.sampled_from([8, 32]), far=st.integers(17, 200), causal=st.booleans())
def test_buckets_are_exact_near_by_grow_with_distance_and_tell_directions_apart(
    buckets: int, far: int, causal: bool
) -> None:
    bias = RelativeBias(HEADS, buckets, far, causal=causal)
    back = bias.bucket(-torch.arange(300))
    exact = buckets // 2 if causal else buckets // 4
    assert back[:exact].tolist() == list(range(exact))
    assert bool((back.diff() >= 0).all())
    assert back[far:].unique().tolist() == [buckets - 1 if causal else buckets // 2 - 1]
    ahead = bias.bucket(torch.arange(1, 300))
    if causal:
        assert ahead.unique().tolist() == [0]
    else:
        assert ahead.tolist() == (back[1:] + buckets // 2).tolist()
