"""How the rate goes over a run: each schedule gives the factor on the peak rate at a step."""

from __future__ import annotations

import math
from collections.abc import Callable

Schedule = Callable[[int, int, float], float]


def linear(step: int, total: int, warmup: float) -> float:
    """Up linearly over the `warmup` share of all steps, then down to zero at `total` (Devlin et al. 2019)."""
    rise = _rise(total, warmup)
    return (step + 1) / rise if step < rise else max(0.0, (total - step) / max(1, total - rise))


def cosine(step: int, total: int, warmup: float) -> float:
    """Up linearly, then down along half a cosine (Loshchilov & Hutter 2017, eq. 5, without restarts)."""
    rise = _rise(total, warmup)
    if step < rise:
        return (step + 1) / rise
    return (1 + math.cos(math.pi * min(1.0, (step - rise) / max(1, total - rise)))) / 2


def inverse_sqrt(step: int, total: int, warmup: float) -> float:
    """min(n^-0.5, n * rise^-1.5) for step n (Vaswani et al. 2017, eq. 3), scaled so that its peak is 1."""
    rise = _rise(total, warmup)
    return min((step + 1) / rise, math.sqrt(rise / (step + 1)))


def slanted_triangular(step: int, total: int, warmup: float) -> float:
    """(1 + p (ratio - 1)) / ratio, where p rises to 1 and falls to 0 (Howard & Ruder 2018, eq. 3, ratio 32).

    `warmup` is the paper's cut_frac, 0.1 there.
    """
    rise = _rise(total, warmup)
    p = step / rise if step < rise else max(0.0, 1 - (step - rise) / max(1, total - rise))
    return (1 + p * 31) / 32


def constant(step: int, total: int, warmup: float) -> float:
    """Up linearly, then level."""
    return min(1.0, (step + 1) / _rise(total, warmup))


SCHEDULES: dict[str, Schedule] = {
    schedule.__name__: schedule for schedule in (linear, cosine, inverse_sqrt, slanted_triangular, constant)
}


def _rise(total: int, warmup: float) -> int:
    """Steps of warming up, at least one."""
    return max(1, round(total * warmup))
