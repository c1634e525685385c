"""What both graphs of a file hold alike, kept once beside them."""

from __future__ import annotations

import onnx
from onnx.external_data_helper import set_external_data

from gradatim.engine.pair import SHARED

LARGE = 1 << 14  # bytes from which on a tensor is worth a member of its own


def members(encoder: bytes, decoder: bytes) -> dict[str, bytes]:
    """Both graphs as members of a file, and the large tensors that both have as members to which they now refer."""
    graphs = {
        f"{name}.onnx": onnx.load_model_from_string(model)
        for name, model in (("encoder", encoder), ("decoder", decoder))
    }
    own, others = ({one.name: one for one in model.graph.initializer} for model in graphs.values())
    apart = {}
    for name, tensor in own.items():
        weights = tensor.raw_data
        if len(weights) < LARGE or others.get(name) != tensor:
            continue
        apart[f"{name}{SHARED}"] = weights
        for one in (tensor, others[name]):
            set_external_data(one, f"{name}{SHARED}", 0, len(weights))
            one.ClearField("raw_data")
    return {**{name: bytes(model.SerializeToString()) for name, model in graphs.items()}, **apart}
