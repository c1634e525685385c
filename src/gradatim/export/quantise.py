"""int8: weights per channel once, activations by their range at run time."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path

from gradatim.engine.onnx import ALONE

# Tiny products and a lookup whose rounding would reach the logits, or every score, directly.
KEEP = ("head", "mean", "distance_bias")


def to_int8(model: bytes) -> bytes:
    """The same graph with int8 matrix products, recurrent layers and embedding tables.

    Signed weights with one scale per output channel, unsigned activations with one dynamic scale
    per tensor. That scale would make an answer depend on the other rows of its batch, so the graph is
    marked to be run one row at a time. Whether it is worth having is for the gate to measure.
    """
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)  # the quantiser warns about graphs that were not preprocessed
    try:
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "int8.onnx"
            quantize_dynamic(
                onnx.load_model_from_string(model),
                target,
                per_channel=True,
                weight_type=QuantType.QInt8,
                op_types_to_quantize=["MatMul", "Attention", "LSTM", "EmbedLayerNormalization", "Gather"],
                nodes_to_exclude=list(KEEP),
                extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
            )
            quantised = onnx.load_model(target)
            if any(node.op_type.startswith("DynamicQuantize") for node in quantised.graph.node):
                onnx.helper.set_model_props(quantised, {ALONE: "1"})
            return bytes(quantised.SerializeToString())
    finally:
        logger.setLevel(level)
