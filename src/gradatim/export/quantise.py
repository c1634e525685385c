"""int8: weights with one step per output channel, activations with one step per product, found on real texts."""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from gradatim.engine.graph import ALONE, LEVELS
from gradatim.export.calibration import Range, ranges
from gradatim.export.graph import CONTRIB
from gradatim.types import Array, Arrays

KEEP = ("head",)  # a tiny product whose rounding would reach the logits directly
LOOKUP = "lookup"
SHARE = 0.85  # of an outlier channel's size that moves from activations into weights
WORD_LEVELS = 23  # on either side of zero: packed into the artifact, 5.2 bits a number
ROOM = 1.1  # how far beyond the texts seen an activation may go before it is cut off


class Quantiser:
    """Makes int8 graphs of one fp32 graph: matrix products, recurrent layers and word vectors.

    `texts` are packed rows like those that the model will read: on them the range of every activation is
    found. A channel with large activations is scaled down and its weights up, so that one step fits all
    channels (Xiao et al. 2023, eq. 3 and 4). All steps are constants, and no answer depends on the batch
    around it; but recurrent layers know only a step made at run time, so their graph is marked to be run
    one row at a time. Whether int8 is worth having is for the gate to measure.
    """

    def __init__(self, model: bytes, texts: Arrays) -> None:
        self._model = model
        read = _products(onnx.load_model_from_string(model))
        self.products = tuple(read)
        self._ranges = ranges(model, texts, list(dict.fromkeys(read.values()))) if read else {}

    def convert(self, keep: Collection[str] = ()) -> bytes:
        """The graph in int8, but for the `products` to keep."""
        rounding = _Rounding(onnx.load_model_from_string(self._model), self._ranges)
        quantised = rounding.rewrite(set(self.products) - set(keep))
        if any(node.op_type == "LSTM" for node in quantised.graph.node):
            quantised = _recurrent(quantised)
        return bytes(quantised.SerializeToString())


def _products(model: ModelProto) -> dict[str, str]:
    """The nodes that compute x W + b with a constant W, and what is their x."""
    weights = {weight.name for weight in model.graph.initializer}
    nodes = [
        node for node in model.graph.node if node.op_type in ("Gemm", "MatMul") and node.name not in KEEP
    ]
    return {node.name: node.input[0] for node in nodes if node.input[1] in weights}


class _Rounding:
    """A graph whose products and lookups are replaced one by one."""

    def __init__(self, model: ModelProto, found: Mapping[str, Range]) -> None:
        self.model, self.ranges = model, found
        self.weights = {weight.name: weight for weight in model.graph.initializer}
        self.nodes: list[NodeProto] = []
        self.levels: dict[str, tuple[float, int]] = {}

    def rewrite(self, products: Collection[str]) -> ModelProto:
        for node in self.model.graph.node:
            if node.name in products:
                self._product(node)
            elif node.op_type == "Gather" and node.name == LOOKUP:
                self._lookup(node)
            else:
                self.nodes.append(node)
        del self.model.graph.node[:], self.model.graph.initializer[:]
        self.model.graph.node.extend(self.nodes)
        used = {name for node in self.nodes for name in node.input}
        self.model.graph.initializer.extend(weight for name, weight in self.weights.items() if name in used)
        helper.set_model_props(self.model, {LEVELS: json.dumps(self.levels)})
        return self.model

    def _product(self, node: NodeProto) -> None:
        """x W + b = (step round(x / (c step))) (steps round(c W / steps)) + b, with the channels' divisors c."""
        name, found = node.name, self.ranges[node.input[0]]
        weight = numpy_helper.to_array(self.weights[node.input[1]])
        channels = smoothing(found, weight)
        whole, steps = round_to_int8(weight * channels[:, None], axis=0)
        low = min(0.0, ROOM * float((found.low / channels).min()))
        step = max((ROOM * float((found.high / channels).max()) - low) / 255, 1e-12)
        zero = round(-low / step)
        self.levels[name] = step, zero
        scaled = self._add(
            "Mul", [node.input[0], self._weight(f"{name}_channels", 1 / channels)], f"{name}_scaled"
        )
        unit = self._weight(f"{name}_step", np.array(step, np.float32))
        origin = self._weight(f"{name}_zero", np.array(zero, np.uint8))
        self._add(
            "MatMulIntegerToFloat",
            [
                self._add("QuantizeLinear", [scaled, unit, origin], f"{name}_levels"),
                self._weight(f"{node.input[1]}_int8", whole),
                unit,
                self._weight(f"{node.input[1]}_steps", steps),
                origin,
                "",
                *node.input[2:],
            ],
            node.output[0],
            domain=CONTRIB,
        )

    def _lookup(self, node: NodeProto) -> None:
        """Word vectors with one step per word: most of the file and least of the error, so their steps are coarse."""
        table, ids = node.input
        whole, steps = round_to_int8(numpy_helper.to_array(self.weights[table]), axis=1, most=WORD_LEVELS)
        found = self._add("Gather", [self._weight(f"{table}_int8", whole), ids], f"{table}_levels")
        size = self._add("Gather", [self._weight(f"{table}_steps", steps[:, None]), ids], f"{table}_sizes")
        number = self._add("Cast", [found], f"{table}_numbers", to=TensorProto.FLOAT)
        self._add("Mul", [number, size], node.output[0])

    def _weight(self, name: str, value: Array) -> str:
        self.weights[name] = numpy_helper.from_array(value, name)
        return name

    def _add(self, op: str, inputs: list[str], output: str, *, domain: str = "", **attributes: int) -> str:
        self.nodes.append(helper.make_node(op, inputs, [output], name=output, domain=domain, **attributes))
        return output


def smoothing(found: Range, weight: Array) -> Array:
    """What each channel of the activations is divided by, and of the weights (channels, outputs) multiplied."""
    activations = np.maximum(np.maximum(-found.low, found.high), 1e-5)
    weights = np.maximum(np.abs(weight).max(axis=1), 1e-5)
    divisor: Array = (activations**SHARE / weights ** (1 - SHARE)).astype(np.float32)
    return divisor


def round_to_int8(weights: Array, *, axis: int, most: int = 127) -> tuple[Array, Array]:
    """Integers in [-most, most] and the step of each vector along `axis`: weights = integers * steps, nearly."""
    largest = np.abs(weights).max(axis=axis, keepdims=True)
    steps = np.where(largest > 0, largest, 1) / np.float32(most)
    return np.rint(weights / steps).astype(np.int8), steps.squeeze(axis).astype(np.float32)


def _recurrent(model: ModelProto) -> ModelProto:
    """LSTM layers in ONNX Runtime's dynamic int8."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)  # the quantiser warns about graphs that were not preprocessed
    try:
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "int8.onnx"
            quantize_dynamic(
                model, target, per_channel=True, weight_type=QuantType.QInt8, op_types_to_quantize=["LSTM"]
            )
            quantised = onnx.load_model(target)
    finally:
        logger.setLevel(level)
    helper.set_model_props(quantised, {ALONE: "1"})
    return quantised
