"""A causal torch model as a language session, so that pipelines treat it like an exported file."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from gradatim.models.inputs import Inputs
from gradatim.models.language import LanguageModel
from gradatim.models.stepper import TorchStepper
from gradatim.types import Array

CELLS = 1 << 24  # logits held at once


class TorchLanguage(TorchStepper):
    """Probabilities and new tokens by a model in memory."""

    model: LanguageModel

    @property
    def longest(self) -> int | None:
        return self.model.body.config.longest

    def log_probs(self, ids: Array, targets: Array, sizes: Array) -> Array:
        states = self._states(ids, sizes)
        at = np.flatnonzero(targets >= 0)
        found = np.zeros(len(ids), dtype=np.float32)
        head: Any = self.model.head
        step = max(1, CELLS // head.output.weight.shape[0])
        with torch.inference_mode(), self._cast():
            for places in np.split(at, np.arange(step, len(at), step)):
                wanted = torch.from_numpy(targets[places].astype(np.int64)).to(states.device)
                logits = head(states[torch.from_numpy(places).to(states.device)]).float()
                right = logits.gather(1, wanted[:, None])[:, 0]
                found[places] = (right - logits.logsumexp(1)).cpu().numpy()
        return found

    def _states(self, ids: Array, sizes: Array) -> Tensor:
        inputs = Inputs.of({"ids": ids, "lengths": sizes}, fill=1).to(self._device)
        with torch.inference_mode(), self._cast():
            states: Tensor = self.model.body(inputs.ids, inputs.layout)
        return states
