"""bf16 or fp32: whichever this machine trains faster in, measured once and remembered."""

from __future__ import annotations

import time
from typing import Literal

import torch

from gradatim.engine.remembered import remembered

Faster = Literal["bf16", "fp32"]
ROWS, WIDTH, TRIES = 1024, 768, 5  # of the product that is timed
GAIN = 1.3  # how much faster a product must be, to pay for what is converted around it


def bf16_pays(device: str = "cpu") -> bool:
    """Whether the device multiplies bfloat16 natively, and gains by it.

    An x86 processor may have the instructions and still be slower with them than in fp32, as one with AVX512-BF16 but
    without AMX may be.
    """
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    supported = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    if device != "cpu" or not supported or not supported():
        return False
    facts = ["training", torch.__version__, str(torch.get_num_threads())]
    return remembered(facts, ("bf16", "fp32"), _faster) == "bf16"


def _faster() -> Faster:
    return "bf16" if GAIN * _seconds(torch.bfloat16) <= _seconds(torch.float32) else "fp32"


def _seconds(dtype: torch.dtype) -> float:
    """What a product of matrices takes at its best, after a first one."""
    x, w = torch.ones(ROWS, WIDTH, dtype=dtype), torch.ones(WIDTH, WIDTH, dtype=dtype)
    seconds = []
    for _ in range(1 + TRIES):
        began = time.perf_counter()
        torch.nn.functional.linear(x, w)
        seconds.append(time.perf_counter() - began)
    return min(seconds[1:])
