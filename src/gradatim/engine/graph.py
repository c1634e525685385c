"""One ONNX graph, loaded for this processor and a number of threads."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import onnxruntime as ort

from gradatim.engine import processor
from gradatim.engine.names import AGGREGATION, ASKED
from gradatim.errors import ArtifactError
from gradatim.types import CAPITALS, MARKS, Array

# Metadata of a graph whose answer for a row would depend on the other rows of a batch (recurrent int8).
ALONE = "gradatim.alone"
# Metadata of an int8 graph: of each product, the step between the levels of its input and the level of zero.
LEVELS = "gradatim.levels"
# Metadata of an int8 graph that holds its fp32 form too: how many tokens a row may have on which both are timed.
TIMED_ON = "gradatim.timed_on"

Precision = Literal["int8", "fp32"]
# Messages of protobuf that follow each other are merged, and of constants with one name ONNX Runtime takes the last:
# behind a model of both forms, this makes its constant `in_int8` false.
_IN_FP32 = b"\x3a\x10\x2a\x0e\x10\x09\x42\x07in_int8\x4a\x01\x00"

DTYPES: Mapping[str, Any] = {
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(float)": np.float32,
}
_INPUTS = {"ids", "segments", "lengths", ASKED, CAPITALS, *MARKS}
# ONNX Runtime would join Add and LayerNormalization, Add and Gelu: on a CPU the joined ones are slower.
_SLOWER = ["SkipLayerNormFusion", "BiasGeluFusion"]


class OnnxGraph:
    """A graph with inputs `ids` (rows, tokens), `lengths` (rows,) and perhaps `segments` and marks (rows, tokens).

    Its output, `logits` or `states`, has a vector for each row (rows, size), for each token (rows, tokens, size), or
    for each of the cells that an input `asked` names; another, `aggregation`, has one for each row. Of a graph in int8
    that holds its fp32 form too (`timed_on`), `precision` says which to load. Raises `ArtifactError` if `model` is no
    such graph.
    """

    def __init__(self, model: bytes, threads: int = 1, precision: Precision = "int8") -> None:
        try:
            self._session = load_session(model, threads, precision)
        except Exception as error:  # the runtime has no common exception class
            raise ArtifactError(f"model.onnx cannot be loaded by ONNX Runtime: {error}") from error
        self._dtypes = {node.name: DTYPES.get(node.type) for node in self._session.get_inputs()}
        outputs = {node.name: node.shape for node in self._session.get_outputs()}
        found = [name for name in ("logits", "states") if name in outputs]
        known = {"ids", "lengths"} <= self._dtypes.keys() <= _INPUTS
        if not known or None in self._dtypes.values() or not found:
            raise ArtifactError(
                f"model.onnx must map integers ids, lengths and perhaps segments to logits; it has inputs "
                f"{sorted(self._dtypes)} and outputs {sorted(outputs)}. Export it again with `gradatim fit`."
            )
        self.outputs: dict[str, int] = {
            name: outputs[name][-1] for name in (*found[:1], AGGREGATION) if name in outputs
        }
        self.of_tokens, self.asked = len(outputs[found[0]]) == 3, ASKED in self._dtypes
        self.flat = [name for name in self._dtypes if name not in ("lengths", ASKED)]
        facts = self._session.get_modelmeta().custom_metadata_map
        self.alone, self.timed_on = ALONE in facts, int(facts.get(TIMED_ON, 0))
        self.identity: str = facts.get(LEVELS, "")  # no two models have the same levels

    def __call__(
        self, padded: Mapping[str, Array], lengths: Array, outputs: Sequence[str] = ()
    ) -> list[Array]:
        """The outputs, or those named, for rows of these lengths; may be called from several threads at once."""
        feed = {**padded, "lengths": lengths}
        feed = {name: feed[name].astype(dtype, copy=False) for name, dtype in self._dtypes.items()}
        values: list[Array] = self._session.run(list(outputs or self.outputs), feed)
        return values


def load_session(
    model: bytes, threads: int, precision: Precision = "int8", shared: Mapping[str, bytes] | None = None
) -> Any:
    """ONNX Runtime's session of a graph; `shared` are the weights that it names and does not hold."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 3  # errors only
    # A memory pattern is kept for every shape seen: with free lengths that is memory without speed.
    options.enable_mem_pattern = False
    if shared:
        sizes = [len(weights) for weights in shared.values()]
        options.add_external_initializers_from_files_in_memory(list(shared), list(shared.values()), sizes)
    if precision == "fp32":
        model += _IN_FP32
        # Weights are made float32 while loading, not in every call.
        options.add_session_config_entry("session.disable_quant_qdq", "1")

    def session() -> Any:
        providers = ["CPUExecutionProvider"]
        return ort.InferenceSession(model, options, providers=providers, disabled_optimizers=_SLOWER)

    loaded = session()
    levels = json.loads(loaded.get_modelmeta().custom_metadata_map.get(LEVELS, "{}"))
    if levels and precision == "int8" and not processor.multiplies_bytes_exactly():
        kept = _narrow(options, levels)
        loaded = session()
        loaded._gradatim_levels = kept  # the runtime does not copy them
    loaded._model_bytes = None  # the parsed model lives on; a second copy is only weight
    return loaded


def _narrow(options: Any, levels: Mapping[str, Sequence[float]]) -> list[Any]:
    """Activations in 7 bits, with which no pair of products leaves 16 bits."""
    kept = []
    for name, (step, zero) in levels.items():
        fewer = {
            "step": np.array(step * 255 / 127, np.float32),
            "zero": np.array(round(zero * 127 / 255), np.uint8),
        }
        for part, value in fewer.items():
            kept.append(ort.OrtValue.ortvalue_from_numpy(value))
            options.add_initializer(f"{name}_{part}", kept[-1])
    return kept
