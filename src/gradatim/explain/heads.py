"""The attention of a model in memory, layer by layer and head by head."""

from __future__ import annotations

import numpy as np
import torch

from gradatim.decode.search import Written
from gradatim.errors import ConfigError
from gradatim.models.inputs import Inputs
from gradatim.models.language import EncoderDecoder
from gradatim.models.stepper import TorchStepper
from gradatim.nn.stack import Trace
from gradatim.types import Array, Arrays


def all_heads(stepper: TorchStepper, batch: Arrays, written: Written) -> Array:
    """Read what was written once more, with the weights kept: (layers, heads, target, source).

    Raises ConfigError for a model without attention.
    """
    assert isinstance(stepper.model, EncoderDecoder)
    after = np.concatenate([[stepper.start], written.ids])  # what each token was written after
    read = after[: len(written.ids) + written.ended]
    source, target = (
        Inputs.of(arrays, fill=1) for arrays in (batch, {"ids": read, "lengths": np.array([len(read)])})
    )
    trace = Trace([], weights=[])
    with torch.inference_mode():
        stepper.model.states(source.ids, source.layout, target.ids, target.layout, trace)
    if not trace.cross_weights:
        raise ConfigError("this model has no attention to its source: it reads it into one vector")
    return np.stack([torch.cat(layer).float().numpy()[0] for layer in trace.cross_weights])
