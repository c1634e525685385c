"""How long a training run will take: floating-point work over this machine's measured speed."""

from __future__ import annotations

import functools
import time

from torch import nn

# Share of the bare matrix-product speed that training reaches, measured with 6 layers of width 384 on
# sentences of 25 tokens; the rest goes to attention, norms, dropout and the optimiser.
EFFICIENCY = 0.45


@functools.cache
def matmul_flops(bf16: bool, threads: int) -> float:
    """Floating-point operations per second of matrix products, measured once per process (0.2 s)."""
    import torch

    torch.set_num_threads(threads)
    kind = torch.bfloat16 if bf16 else torch.float32
    a, b = torch.randn(1024, 768).to(kind), torch.randn(768, 1536).to(kind)
    for _ in range(3):
        a @ b
    count, started = 0, time.perf_counter()
    while time.perf_counter() - started < 0.2:
        a @ b
        count += 1
    return 2.0 * 1024 * 768 * 1536 * count / (time.perf_counter() - started)


def dense_parameters(model: nn.Module) -> int:
    """Weights that take part in a matrix product for every token (embedding tables do not)."""
    tables = sum(p.weight.numel() for p in model.modules() if isinstance(p, nn.Embedding))
    return sum(p.numel() for p in model.parameters()) - tables


def training_s(
    tokens: float, parameters: float, *, bf16: bool, threads: int, forward_only: bool = False
) -> float:
    """Seconds to train on `tokens` tokens (2 operations per weight forward, 4 more backward)."""
    work = tokens * parameters * (2.0 if forward_only else 6.0)
    return work / (EFFICIENCY * matmul_flops(bf16, threads))
