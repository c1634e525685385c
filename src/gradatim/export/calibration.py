"""What goes through an exported graph when it reads some texts: ranges by channel, and samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import helper, numpy_helper

from gradatim.engine.graph import OnnxGraph
from gradatim.types import Array, Arrays

SAMPLED = 1024  # tokens, about, whose activations are kept


@dataclass(frozen=True, slots=True)
class Seen:
    """The least and the greatest value of each channel (width,), and some tokens (tokens, width)."""

    low: Array
    high: Array
    samples: Array


def seen(model: bytes, texts: Arrays, names: Sequence[str]) -> dict[str, Seen]:
    """These values (tokens, width) over packed `texts`, each row alone, so that padding has no part."""
    session = OnnxGraph(_watched(model, names))
    lengths = texts["lengths"]
    starts = np.cumsum(lengths) - lengths
    every = max(1, int(lengths.sum()) // SAMPLED)
    lows, highs, samples = ({name: [] for name in names} for _ in range(3))  # type: ignore[var-annotated]
    for i, (start, length) in enumerate(zip(starts.tolist(), lengths.tolist(), strict=True)):
        row = {name: texts[name][None, start : start + length] for name in session.flat}
        wanted = [f"{name}/{op}" for name in names for op in ("ReduceMin", "ReduceMax")]
        values = session(row, np.array([length]), [*wanted, *(names if i % every == 0 else ())])
        for j, name in enumerate(names):
            lows[name].append(values[2 * j])
            highs[name].append(values[2 * j + 1])
        for name, value in zip(names, values[2 * len(names) :], strict=False):
            samples[name].append(value)
    return {
        name: Seen(np.min(lows[name], axis=0), np.max(highs[name], axis=0), np.concatenate(samples[name]))
        for name in names
    }


def _watched(model: bytes, names: Sequence[str]) -> bytes:
    """The graph with these values and their ranges among its outputs."""
    proto = onnx.load_model_from_string(model)
    graph = proto.graph
    graph.initializer.append(numpy_helper.from_array(np.array([0], np.int64), "calibration_axis"))
    for name in names:
        graph.output.append(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["any", "width"]))
        for op in ("ReduceMin", "ReduceMax"):
            output = f"{name}/{op}"
            graph.node.append(helper.make_node(op, [name, "calibration_axis"], [output], keepdims=0))
            graph.output.append(helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, ["width"]))
    return bytes(proto.SerializeToString())
