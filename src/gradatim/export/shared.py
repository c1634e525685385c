"""What several graphs of one file hold alike, kept once beside them."""

from __future__ import annotations

from collections.abc import Sequence

import onnx
from onnx import TensorProto
from onnx.external_data_helper import set_external_data

from gradatim.engine.pair import SHARED

LARGE = 1 << 14  # bytes from which on a tensor is worth a member of its own


def set_apart(models: Sequence[bytes]) -> tuple[list[bytes], dict[str, bytes]]:
    """The graphs without the large tensors that all of them have, and the bytes of these, by the names of members to
    which the graphs now refer.
    """
    graphs = [onnx.load_model_from_string(model) for model in models]
    first, *others = ({tensor.name: tensor for tensor in model.graph.initializer} for model in graphs)
    apart = {}
    for name, tensor in first.items():
        same = [tensor, *(other[name] for other in others if name in other)]
        if len(tensor.raw_data) >= LARGE and len(same) == len(models) and all(map(tensor.__eq__, same)):
            apart[f"{name}{SHARED}"] = tensor.raw_data
            for one in same:
                _refer(one, f"{name}{SHARED}")
    return [bytes(model.SerializeToString()) for model in graphs], apart


def _refer(tensor: TensorProto, member: str) -> None:
    set_external_data(tensor, member, 0, len(tensor.raw_data))
    tensor.ClearField("raw_data")
