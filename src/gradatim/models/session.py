"""The torch model as a Session, so that pipelines treat it like an exported file."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from gradatim.models.classifier import Classifier, GridReader, Tagger
from gradatim.models.inputs import READ, Inputs
from gradatim.models.language import LanguageModel
from gradatim.text.windows import ragged
from gradatim.types import Array, Arrays


class TorchSession:
    """Runs a model over packed arrays of any size, at most `max_tokens` at a time.

    Rows are taken in order of length, so that attention's groups waste little, and put back.
    """

    def __init__(self, model: nn.Module, *, max_tokens: int = 8192, bf16: bool = False) -> None:
        self.model = model
        self.max_tokens = max_tokens
        self.bf16 = bf16

    def run(self, arrays: Arrays) -> Arrays:
        """Arrays of an encoder in; `logits` (rows, labels) and `features` (rows, width) of a classifier out,
        `logits` (tokens, outputs) of a tagger, of what reads tables `aggregation` (rows, labels) too, of a language
        model `logits` of the tokens that the array `asked` marks, and of a body `states` (tokens, width).
        """
        lengths = np.asarray(arrays["lengths"])
        starts = np.cumsum(lengths) - lengths
        outputs: dict[str, list[tuple[Array, Array]]] = {}
        was_training, device = self.model.training, next(self.model.parameters()).device
        self.model.eval()
        by_length = np.argsort(lengths, kind="stable")
        with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=self.bf16):
            for rows in _batches(by_length, lengths, self.max_tokens):
                tokens = ragged(starts[rows], lengths[rows])
                part = {name: arrays[name][tokens] for name in READ if name in arrays}
                inputs = Inputs.of({**part, "lengths": lengths[rows]}).to(device)
                asked = arrays["asked"][tokens] if "asked" in arrays else None
                places = tokens if asked is None else tokens[asked]
                for name, values in self._outputs(inputs, asked).items():
                    of = rows if isinstance(self.model, Classifier) or name == "aggregation" else places
                    outputs.setdefault(name, []).append((of, values.float().cpu().numpy()))
        self.model.train(was_training)
        return {name: _put_back(parts) for name, parts in outputs.items()}

    def _outputs(self, inputs: Inputs, asked: Array | None) -> dict[str, Tensor]:
        model = self.model
        if isinstance(model, Tagger):
            return {"logits": model(inputs)}
        if isinstance(model, GridReader):
            logits, aggregation = model(inputs)
            return (
                {"logits": logits} if aggregation is None else {"logits": logits, "aggregation": aggregation}
            )
        if isinstance(model, Classifier):
            features = model.features(inputs)
            return {"logits": model.head(features), "features": features}
        body = model.body if isinstance(model, LanguageModel) else model
        states = body(inputs.ids, inputs.layout, inputs.segments, **inputs.told)[: inputs.num_tokens]
        if not isinstance(model, LanguageModel):
            return {"states": states}
        return {"logits": model.head(states if asked is None else states[torch.from_numpy(asked)])}


def _put_back(parts: list[tuple[Array, Array]]) -> Array:
    """Values of batches in the order of the rows or tokens that they are of."""
    places, values = zip(*parts, strict=True)
    ordered: Array = np.concatenate(values)[np.argsort(np.concatenate(places))]
    return ordered


def _batches(order: Array, lengths: Array, max_tokens: int) -> list[Array]:
    """Cut rows, in this order, into runs of at most `max_tokens` tokens (at least one row each)."""
    cuts, tokens = [], 0
    for place, length in enumerate(lengths[order].tolist()):
        tokens += length
        if place and tokens > max_tokens:
            cuts.append(place)
            tokens = length
    return np.split(order, cuts)
