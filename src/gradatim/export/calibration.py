"""What goes through an exported graph when it reads some texts: ranges by channel, and samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import helper, numpy_helper

from gradatim.engine.graph import DTYPES, load_session
from gradatim.types import Array, Arrays

SAMPLED = 1024  # tokens, about, whose activations are kept


@dataclass(frozen=True, slots=True)
class Seen:
    """The least and the greatest value of each channel (width,), and some tokens (tokens, width)."""

    low: Array
    high: Array
    samples: Array


def rows_alone(texts: Arrays) -> list[Arrays]:
    """What a graph is called with to read packed `texts` one row at a time, so that padding has no part."""
    lengths = texts["lengths"]
    starts = np.cumsum(lengths) - lengths
    return [
        {name: values[None, start : start + length] for name, values in texts.items() if name != "lengths"}
        | {"lengths": np.array([length])}
        for start, length in zip(starts.tolist(), lengths.tolist(), strict=True)
    ]


def seen(model: bytes, calls: Sequence[Arrays], names: Sequence[str]) -> dict[str, Seen]:
    """These values (tokens, width) in calls of a graph, each with its inputs by name; what is no input is left out."""
    session = load_session(_watched(model, names), 1)
    kinds = {node.name: DTYPES[node.type] for node in session.get_inputs()}
    every = max(1, sum(call["ids"].size for call in calls) // SAMPLED)
    ranges = [f"{name}/{op}" for name in names for op in ("ReduceMin", "ReduceMax")]
    lows, highs, samples = ({name: [] for name in names} for _ in range(3))  # type: ignore[var-annotated]
    for i, call in enumerate(calls):
        feed = {name: call[name].astype(kind, copy=False) for name, kind in kinds.items()}
        values = session.run([*ranges, *(names if i % every == 0 else ())], feed)
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
