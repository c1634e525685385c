"""Where a token stands: sinusoids, rotations, and a learned bias by distance."""

from __future__ import annotations

import math
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from gradatim.errors import ConfigError

Channels = Literal["interleaved", "halves"]


def sinusoids(length: int, width: int, channels: Channels = "interleaved") -> Float[Tensor, "length width"]:
    """PE(p, 2i) = sin(p / 10000^(2i/width)), PE(p, 2i+1) = cos(same) (Vaswani et al. 2017, section 3.5).

    "interleaved" is the order of the paper; "halves", as in its first implementation and in Marian,
    puts all sines before all cosines.
    """
    turns = angles(torch.arange(length), width)
    parts = [turns.sin(), turns.cos()]
    return (
        torch.stack(parts, -1).flatten(1)[:, :width]
        if channels == "interleaved"
        else torch.cat(parts, -1)[:, :width]
    )


def rotate(
    x: Float[Tensor, "batch heads length head_width"], positions: Int[Tensor, "#batch length"]
) -> Float[Tensor, "batch heads length head_width"]:
    """Turn each pair of channels by an angle that grows with the position (Su et al. 2021, eq. 34).

    The product of a rotated query and a rotated key depends on their distance alone. Differs: a pair is one channel
    of each half, not two neighbours.
    """
    turns = angles(positions, x.shape[-1])[:, None]  # (#batch, 1, length, head_width / 2)
    cos, sin = turns.cos().to(x.dtype), turns.sin().to(x.dtype)
    a, b = x.chunk(2, -1)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], -1)


def angles(positions: Tensor, width: int) -> Tensor:
    """(*positions, ceil(width / 2)): position times 10000^(-2i/width); `sinusoids` and `rotate` turn by these."""
    rates = torch.exp(torch.arange(0, width, 2, device=positions.device) * (-math.log(10000.0) / width))
    return positions[..., None].float() * rates


class RelativeBias(nn.Module):
    """A learned bias per head and bucket of distance, added to the scores (Raffel et al. 2020, section 2.1).

    Half of the buckets are exact distances, the others grow logarithmically up to `max_distance`;
    looking both ways splits them between the two directions.
    """

    def __init__(self, num_heads: int, num_buckets: int, max_distance: int, *, causal: bool) -> None:
        super().__init__()
        if num_buckets < (fewest := 2 if causal else 4):
            raise ConfigError(f"{num_buckets} buckets are too few to tell distances apart: {fewest} at least")
        if max_distance <= num_buckets // (2 if causal else 4):
            raise ConfigError(
                f"max_distance {max_distance} is within the exact part of {num_buckets} buckets"
            )
        self.table = nn.Embedding(num_buckets, num_heads)
        self.max_distance = max_distance
        self.causal = causal

    def forward(
        self, distance: Int[Tensor, "batch queries keys"]
    ) -> Float[Tensor, "batch heads queries keys"]:
        """The bias of each distance (key minus query)."""
        bias: Tensor = self.table(self.bucket(distance))
        return bias.permute(0, 3, 1, 2)

    def bucket(self, distance: Int[Tensor, "*shape"]) -> Int[Tensor, "*shape"]:
        """The row of the table for each distance."""
        buckets = self.table.num_embeddings
        base = torch.zeros_like(distance)
        if self.causal:
            distance = -distance.clamp(max=0)
        else:
            buckets //= 2
            base = (distance > 0) * buckets
            distance = distance.abs()
        exact = buckets // 2
        # Clamped below, so that the logarithm of the exact ones is harmless.
        far = (distance.clamp(min=exact).float() / exact).log() / math.log(self.max_distance / exact)
        far = (exact + (far * (buckets - exact)).long()).clamp(max=buckets - 1)
        return base + torch.where(distance < exact, distance, far)
