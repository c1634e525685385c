"""Cross-entropy over a vocabulary, a few rows of logits at a time: they are never all there."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

CELLS = 2**23  # logits made at once: enough for products at full speed


def vocabulary_cross_entropy(
    states: Float[Tensor, "places width"],
    weight: Float[Tensor, "vocabulary width"],
    bias: Float[Tensor, " vocabulary"] | None,
    targets: Int[Tensor, " places"],
    *,
    ignored: int,
    smoothing: float = 0.0,
) -> Float[Tensor, ""]:
    """The sum over places of -log softmax(states W^T + b)[target]; a place whose target is `ignored` adds nothing.

    `smoothing` is what `torch.nn.functional.cross_entropy` calls so. The gradient of logits follows from the
    logits alone, so it is made along with them, and multiplied at once into those of states, weight and bias
    (Hsu et al. 2024, section 3.2): memory is that of the gradients, instead of places times vocabulary.
    """
    loss: Tensor = _Vocabulary.apply(states, weight, bias, targets, ignored, smoothing)  # type: ignore[no-untyped-call]
    return loss


class _Vocabulary(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        states: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        targets: Tensor,
        ignored: int,
        smoothing: float,
    ) -> Tensor:
        device = states.device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else states.dtype
        rows = max(1, CELLS // len(weight))
        loss = torch.zeros((), device=states.device)
        dstates = torch.empty_like(states, dtype=dtype) if ctx.needs_input_grad[0] else None
        dweight = torch.zeros_like(weight, dtype=torch.float32) if ctx.needs_input_grad[1] else None
        dbias = torch.zeros_like(bias, dtype=torch.float32) if ctx.needs_input_grad[2] else None  # type: ignore[arg-type]
        with torch.autocast(device, enabled=False):
            x, w = states.to(dtype), weight.to(dtype)
            b = None if bias is None else bias.to(dtype)
            for begin in range(0, len(x), rows):
                part = slice(begin, begin + rows)
                scores = torch.nn.functional.linear(x[part], w, b).float().log_softmax(-1)
                known = (targets[part] != ignored)[:, None]
                wanted = targets[part, None].where(known, 0)
                loss -= ((1 - smoothing) * scores.gather(1, wanted) * known).sum()
                if smoothing:
                    loss -= smoothing * (scores.mean(-1, keepdim=True) * known).sum()
                if not any(ctx.needs_input_grad):
                    continue
                grad = scores.exp_().sub_(smoothing / len(weight)) if smoothing else scores.exp_()
                grad.scatter_add_(1, wanted, grad.new_full(wanted.shape, smoothing - 1))
                grad = grad.mul_(known).to(dtype) if not known.all() else grad.to(dtype)
                if dstates is not None:
                    torch.mm(grad, w, out=dstates[part])
                if dweight is not None:
                    dweight += grad.T @ x[part]
                if dbias is not None:
                    dbias += grad.sum(0, dtype=torch.float32)
        ctx.save_for_backward(dstates, dweight, dbias)
        ctx.dtypes = states.dtype, weight.dtype, None if bias is None else bias.dtype
        return loss

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        made = zip(ctx.saved_tensors, ctx.dtypes, strict=True)
        return *(None if d is None else (d * grad).to(dtype) for d, dtype in made), None, None, None
