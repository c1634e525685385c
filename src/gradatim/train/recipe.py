"""The settings of one training run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gradatim.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a model is trained. `rate` is the peak learning rate, reached after the `warmup` share of
    all steps and then falling linearly to zero; `layer_decay` multiplies it once per block below
    the top (Howard & Ruder 2018, section 3.2); `average` is the share of final steps whose weights
    are averaged (0 keeps the last); `batch_size` counts texts, `max_tokens` bounds a batch of long ones.
    """

    epochs: float = 3.0
    batch_size: int = 32
    max_tokens: int = 8192
    rate: float = 5e-5
    head_rate: float | None = None
    warmup: float = 0.1
    layer_decay: float = 1.0
    weight_decay: float = 0.01
    clip: float = 1.0
    average: float = 0.0
    seed: int = 0
    precision: Literal["auto", "bf16", "fp32"] = "auto"

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "max_tokens", "rate", "head_rate", "clip", "layer_decay"):
            value = getattr(self, name)
            if value is not None and not value > 0:  # so written, NaN is refused too
                raise ConfigError(f"{name} must be above 0, not {value}")
        if not self.weight_decay >= 0:
            raise ConfigError(f"weight_decay must be at least 0, not {self.weight_decay}")
        for name in ("warmup", "average"):
            if not 0 <= getattr(self, name) < 1:
                raise ConfigError(f"{name} is a share in [0, 1), not {getattr(self, name)}")
        if self.precision not in ("auto", "bf16", "fp32"):
            raise ConfigError(f"precision is auto, bf16 or fp32, not '{self.precision}'")

    def bf16(self) -> bool:
        """Whether to compute in bfloat16: asked for, or the processor multiplies it natively."""
        return self.precision == "bf16" or (self.precision == "auto" and has_native_bf16())


def has_native_bf16() -> bool:
    """Whether this processor has bfloat16 matrix instructions (AVX512-BF16 or AMX)."""
    import torch

    supported = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(supported and supported())
