"""int8: weights with one step per output channel, activations with one step per product, found on real texts."""

from __future__ import annotations

import json
import logging
import math
import tempfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from gradatim.engine.graph import ALONE, LEVELS, TIMED_ON
from gradatim.export.calibration import Seen, seen
from gradatim.export.graph import CONTRIB
from gradatim.types import Array, Arrays

EXACT = ("head", "aggregation_head")  # tiny products whose rounding would reach the logits directly
LOOKUP = "lookup"
RECURRENT = ("RNN", "GRU", "LSTM")
# How much of an outlier channel's size may move from activations into weights.
SHARES = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
WORD_LEVELS = 21  # on either side of zero: packed into the artifact, 5 bits a number
ROOM = 1.1  # how far beyond the texts seen an activation may go before it is cut off
TIMED_TOKENS = 64  # of a row on which a machine finds out whether it is faster in int8 or in fp32


class Quantiser:
    """Makes int8 graphs of one fp32 graph: matrix products, recurrent layers and word vectors.

    `calls` are inputs of the graph as they will come (`rows_alone` of texts): in them the range of every activation
    is found. A channel with large activations is scaled down and its weights up, so that one step fits all channels
    (Xiao et al. 2023, eq. 3 and 4), by whichever share leaves the least error in each product; what is left of it in
    the mean goes into the bias (Nagel et al. 2019, section 4.2). Where unscaled channels leave at most `plain` times
    that error they stay as they are, which saves a node. All steps are constants, and no answer depends on the batch
    around it. The graph holds two forms on the same weights, products in int8 or in fp32, of which ONNX Runtime keeps
    one when it is loaded: int8, unless `gradatim.engine.graph` asks for the other. Recurrent layers know only a step
    made at run time, so their graph is marked to be run one row at a time, and has one form; or only their weights are
    in 8 bits, and no answer depends on its batch. Whether int8 is worth having is for the gate to measure.
    """

    def __init__(
        self, model: bytes, calls: Sequence[Arrays], *, exact: Collection[str] = EXACT, plain: float = 0.0
    ) -> None:
        self._model, self._plain = model, plain
        graph = onnx.load_model_from_string(model)
        read = _products(graph, exact)
        self.parts = (*read, *(node.name for node in graph.graph.node if node.name == LOOKUP))
        self._seen = seen(model, calls, list(dict.fromkeys(read.values()))) if read else {}
        self._longest = min(TIMED_TOKENS, max(call["ids"].shape[-1] for call in calls))
        self._rounded: dict[str, Rounded] = {}

    def convert(self, keep: Collection[str] = (), *, both: bool = True, stored: bool = False) -> bytes:
        """The graph in int8, but for the `parts` to keep: products in fp32, the lookup of words in all 127 levels.

        `both`: with its fp32 form. `stored`: recurrent layers compute in fp32.
        """
        model = onnx.load_model_from_string(self._model)
        rounding = _Rounding(model, self._seen, self._rounded, self._plain, stored)
        quantised = rounding.rewrite(set(self.parts) - set(keep))
        facts = {LEVELS: json.dumps(rounding.levels)}
        if not stored and any(node.op_type == "LSTM" for node in quantised.graph.node):
            quantised = _recurrent(quantised)
            facts[ALONE] = "1"
        elif rounding.levels and both:
            rounding.offer_both()
            facts[TIMED_ON] = str(self._longest)
        helper.set_model_props(quantised, {prop.key: prop.value for prop in quantised.metadata_props} | facts)
        return bytes(quantised.SerializeToString())


def _products(model: ModelProto, exact: Collection[str]) -> dict[str, str]:
    """The nodes that compute x W + b with a constant W, and what is their x."""
    weights = {weight.name for weight in model.graph.initializer}
    nodes = [
        node for node in model.graph.node if node.op_type in ("Gemm", "MatMul") and node.name not in exact
    ]
    return {node.name: node.input[0] for node in nodes if node.input[1] in weights}


class _Rounding:
    """A graph whose products and lookups are replaced one by one."""

    def __init__(
        self,
        model: ModelProto,
        found: Mapping[str, Seen],
        rounded: dict[str, Rounded],
        plain: float,
        stored: bool = False,
    ) -> None:
        self.model, self.seen, self.rounded, self.unscaled = model, found, rounded, plain
        self.stored = stored
        self.weights = {weight.name: weight for weight in model.graph.initializer}
        # Tables of words by which they are scored too.
        self.tied = {node.input[1] for node in model.graph.node if _turned(node)}
        self.eight: list[NodeProto] = []  # the nodes with products in int8
        self.plain: list[NodeProto] = []  # and those with the same weights in fp32
        self.levels: dict[str, tuple[float, int]] = {}

    def rewrite(self, parts: Collection[str]) -> ModelProto:
        for node in self.model.graph.node:
            if node.name == LOOKUP:
                self._lookup(node, WORD_LEVELS if LOOKUP in parts else 127)
            elif node.name in parts:
                self._product(node)
            elif self.stored and node.op_type in RECURRENT:
                self._store(node)
            else:
                self._both(node)
        self._fill(self.eight, self.eight)
        return self.model

    def offer_both(self) -> None:
        """One graph of both forms: ONNX Runtime drops the one that a constant does not choose."""
        answers = [answer.name for answer in self.model.graph.output]
        for node in self.eight:
            if node.output[0] in answers:  # of both forms
                node.output[0] += "_of_form"
        inner = [
            helper.make_tensor_value_info(f"{answer}_of_form", TensorProto.FLOAT, None) for answer in answers
        ]
        forms = [helper.make_graph(nodes, "form", [], inner) for nodes in (self.eight, self.plain)]
        choice = self._weight("in_int8", np.array(True))
        one = helper.make_node("If", [choice], answers, then_branch=forms[0], else_branch=forms[1])
        self._fill([one], [one, *self.eight, *self.plain])

    def _fill(self, nodes: Sequence[NodeProto], readers: Sequence[NodeProto]) -> None:
        """Make the graph of these nodes, with the weights that `readers` read."""
        graph = self.model.graph
        del graph.node[:], graph.initializer[:]
        graph.node.extend(nodes)
        used = {name for node in readers for name in node.input}
        graph.initializer.extend(weight for name, weight in self.weights.items() if name in used)

    def _product(self, node: NodeProto) -> None:
        """x W + b = (step round(x / (c step))) (steps round(c W / steps)) + b, with the channels' divisors c.

        A W that is a table of words, turned, stays as it is, so that words are looked up in the same one.
        """
        x, weight, *bias = node.input
        tied = weight in self.tied
        if node.name not in self.rounded:
            w = numpy_helper.to_array(self.weights[weight])
            self.rounded[node.name] = best(
                self.seen[x], w.T if tied else w, math.inf if tied else self.unscaled
            )
        found, name = self.rounded[node.name], node.name
        exact = numpy_helper.to_array(self.weights[bias[0]]) if bias else 0
        self.levels[name] = found.step, found.zero
        scaled = x
        if (found.channels != 1).any():
            scaled = f"{name}_scaled"
            self._both(_node("Mul", [x, self._weight(f"{name}_channels", 1 / found.channels)], scaled))
        unit = self._weight(f"{name}_step", np.array(found.step, np.float32))
        origin = self._weight(f"{name}_zero", np.array(found.zero, np.uint8))
        whole, steps = f"{name}_int8", self._weight(f"{name}_steps", found.steps)
        if tied:
            table = self._weight(f"{weight}_int8", np.ascontiguousarray(found.whole.T))
            self._both(_node("Transpose", [table], whole, perm=[1, 0]))
        else:
            self._weight(whole, found.whole)
        shifted = self._weight(f"{name}_bias", exact - found.shift)
        rounded = [f"{name}_levels", whole, unit, steps, origin, "", shifted]
        self.eight += [
            _node("QuantizeLinear", [scaled, unit, origin], rounded[0]),
            _node("MatMulIntegerToFloat", rounded, node.output[0], domain=CONTRIB),
        ]
        self.plain += [
            _node("DequantizeLinear", [whole, steps], f"{name}_plain", axis=1),
            _node("Gemm", [scaled, f"{name}_plain", shifted], node.output[0]),
        ]

    def _lookup(self, node: NodeProto, levels: int) -> None:
        """Word vectors with one step per word: most of the file and least of the error, so their steps are coarse."""
        table, ids = node.input
        most = 127 if table in self.tied else levels
        whole, steps = round_to_int8(numpy_helper.to_array(self.weights[table]), axis=1, most=most)
        found, size, number = (f"{table}_{part}" for part in ("levels", "sizes", "numbers"))
        self._both(
            _node("Gather", [self._weight(f"{table}_int8", whole), ids], found),
            _node("Gather", [self._weight(f"{table}_steps", steps[:, None]), ids], size),
            _node("Cast", [found], number, to=TensorProto.FLOAT),
            _node("Mul", [number, size], node.output[0]),
        )

    def _store(self, node: NodeProto) -> None:
        """Its weights (directions, outputs, inputs) with one step per output; ONNX Runtime multiplies them out once,
        when it loads the graph."""
        for place, name in enumerate(node.input[1:3], 1):
            whole, steps = round_to_int8(numpy_helper.to_array(self.weights[name]), axis=2)
            number, node.input[place] = f"{name}_number", f"{name}_plain"
            levels, sizes = (
                self._weight(f"{name}_int8", whole),
                self._weight(f"{name}_steps", steps[..., None]),
            )
            self._both(
                _node("Cast", [levels], number, to=TensorProto.FLOAT),
                _node("Mul", [number, sizes], node.input[place]),
            )
        self._both(node)

    def _weight(self, name: str, value: Array) -> str:
        self.weights[name] = numpy_helper.from_array(value, name)
        return name

    def _both(self, *nodes: NodeProto) -> None:
        self.eight += nodes
        self.plain += nodes


def _turned(node: NodeProto) -> bool:
    """Whether a product reads its matrix (outputs, width)."""
    return any(attribute.name == "transB" and attribute.i for attribute in node.attribute)


def _node(
    op: str, inputs: list[str], output: str, *, domain: str = "", **attributes: int | list[int]
) -> NodeProto:
    return helper.make_node(op, inputs, [output], name=output, domain=domain, **attributes)


class Rounded(NamedTuple):
    """x W = (step (round(x / (channels step) + zero) - zero)) (whole * steps) - shift, nearly."""

    channels: Array
    step: float
    zero: int
    whole: Array
    steps: Array
    shift: Array


def best(found: Seen, weight: Array, plain: float = 0.0) -> Rounded:
    """The rounding of a product whose result varies least from the exact one, over the samples.

    One that leaves the channels as they are may vary `plain` times as much; if that is infinite no other is tried.
    """
    exact = found.samples @ weight
    tried = []
    ones = np.ones(len(weight), dtype=np.float32)
    shares = SHARES if math.isfinite(plain) else ()
    for channels in [ones] * (plain > 0) + [_channels(found, weight, share) for share in shares]:
        whole, steps = round_to_int8(weight * channels[:, None], axis=0)
        low = ROOM * min(0.0, float((found.low / channels).min()))
        high = ROOM * max(0.0, float((found.high / channels).max()))
        step = max((high - low) / 255, 1e-12)
        zero = round(-low / step)
        levels = np.clip(np.rint(found.samples / channels / np.float32(step)) + zero, 0, 255) - zero
        error = (levels * np.float32(step)) @ (whole * steps) - exact
        tried.append(
            (float(error.var(axis=0).sum()), Rounded(channels, step, zero, whole, steps, error.mean(axis=0)))
        )
    least = min(tried, key=lambda one: one[0])
    return tried[0][1] if tried[0][0] <= plain * least[0] else least[1]


def _channels(found: Seen, weight: Array, share: float) -> Array:
    """What each channel of the activations is divided by, and of the weights (channels, outputs) multiplied."""
    activations = np.maximum(np.maximum(-found.low, found.high), 1e-5)
    weights = np.maximum(np.abs(weight).max(axis=1), 1e-5)
    divisor: Array = (activations**share / weights ** (1 - share)).astype(np.float32)
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
    return quantised
