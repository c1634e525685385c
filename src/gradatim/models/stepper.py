"""A torch model that writes, as a `Stepper`: what `decode` drives, and what the exported file must equal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from gradatim.models.inputs import Inputs
from gradatim.models.language import EncoderDecoder, LanguageModel, VectorDecoder
from gradatim.types import Array, Arrays, Candidates


@dataclass(frozen=True, slots=True)
class TorchState:
    """A model's own state, reordered by numpy arrays."""

    own: Any
    device: torch.device

    def reorder(self, rows: Array) -> TorchState:
        return TorchState(self.own.reorder(torch.from_numpy(rows).to(self.device)), self.device)


class TorchStepper:
    """Candidates by a model in memory.

    A `LanguageModel` goes on from the ids of the batch, which are prompts. Any other writes after `start`: a
    `VectorDecoder` from the `vectors` (rows, width) of the batch, an encoder-decoder from its ids, which are sources.
    """

    def __init__(
        self,
        model: LanguageModel | EncoderDecoder,
        *,
        start: int | None = None,
        bf16: bool = False,
    ) -> None:
        self.model, self.start, self.bf16 = model.eval(), start, bf16

    @property
    def vocab_size(self) -> int:
        return self.model.head.output.out_features

    def begin(self, batch: Arrays, count: int) -> tuple[Candidates, TorchState]:
        with torch.inference_mode(), self._cast():
            logits, own = self._begun(batch)
        return best(logits, count, own), TorchState(own, self._device)

    def advance(self, ids: Array, state: TorchState, count: int) -> tuple[Candidates, TorchState]:
        with torch.inference_mode(), self._cast():
            logits = self.model.advance(torch.from_numpy(ids).to(self._device), state.own)
        return best(logits, count, state.own), state

    def _begun(self, batch: Arrays) -> tuple[Tensor, Any]:
        """Logits of the first token of each row, and the model's own state."""
        start = torch.full((len(batch["lengths"]),), self.start or 0, device=self._device)
        if isinstance(self.model, VectorDecoder):
            own = self.model.start(torch.from_numpy(batch["vectors"]).to(self._device))
            return self.model.advance(start, own), own
        inputs = Inputs.of({"ids": batch["ids"], "lengths": batch["lengths"]}, fill=1).to(self._device)
        if isinstance(self.model, LanguageModel):
            return self.model.begin(inputs.ids, inputs.layout)
        state = self.model.begin(inputs.ids, inputs.layout)
        return self.model.advance(start, state), state

    @property
    def _device(self) -> torch.device:
        return next(self.model.parameters()).device

    def _cast(self) -> torch.autocast:
        return torch.autocast(self._device.type, torch.bfloat16, enabled=self.bf16)


def best(logits: Float[Tensor, "rows vocabulary"], count: int, state: Any) -> Candidates:
    """The `count` highest of each row, and what the step looked at, where the state says it."""
    logits = logits.float()
    scores, ids = logits.topk(count) if count > 1 else logits.max(dim=1, keepdim=True)
    norm, looked = logits.logsumexp(1), getattr(state, "attention", None)
    attention = None if looked is None else looked.float().cpu().numpy()
    return Candidates(ids.cpu().numpy(), scores.cpu().numpy(), norm.cpu().numpy(), attention)
