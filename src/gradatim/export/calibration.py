"""The range of activations inside an exported graph, channel by channel, over some texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import helper, numpy_helper

from gradatim.engine.graph import OnnxGraph
from gradatim.types import Array, Arrays


@dataclass(frozen=True, slots=True)
class Range:
    """The least and the greatest value of each channel (width,)."""

    low: Array
    high: Array

    def joined(self, other: Range) -> Range:
        return Range(np.minimum(self.low, other.low), np.maximum(self.high, other.high))


def ranges(model: bytes, texts: Arrays, names: Sequence[str]) -> dict[str, Range]:
    """The ranges of these values (tokens, width) over packed `texts`, each row alone, so that padding has no part."""
    proto = onnx.load_model_from_string(model)
    graph = proto.graph
    graph.initializer.append(numpy_helper.from_array(np.array([0], np.int64), "calibration_axis"))
    outputs = [(name, f"{name}/{op}", op) for name in names for op in ("ReduceMin", "ReduceMax")]
    for name, output, op in outputs:
        graph.node.append(helper.make_node(op, [name, "calibration_axis"], [output], keepdims=0))
        graph.output.append(helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, ["width"]))
    session = OnnxGraph(proto.SerializeToString())
    starts = np.cumsum(texts["lengths"]) - texts["lengths"]
    found: dict[str, Range] = {}
    for start, length in zip(starts.tolist(), texts["lengths"].tolist(), strict=True):
        row = {name: texts[name][None, start : start + length] for name in session.flat}
        values = session(row, np.array([length]), [output for _, output, _ in outputs])
        for i, name in enumerate(names):
            seen = Range(values[2 * i], values[2 * i + 1])
            found[name] = found[name].joined(seen) if name in found else seen
    return found
