"""A small builder of ONNX graphs: add nodes in order, get bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
CONTRIB = "com.microsoft"  # ONNX Runtime's own fused operators
IR_VERSION = 9  # read by every ONNX Runtime since 1.16


class Graph:
    """Nodes and weights under construction; names are made here, callers hold them as strings."""

    def __init__(self) -> None:
        self._nodes: list[Any] = []
        self._weights: list[Any] = []
        self._taken: set[str] = set()

    def weight(self, name: str, value: np.ndarray) -> str:
        """A constant tensor."""
        name = self._fresh(name)
        self._weights.append(numpy_helper.from_array(np.asarray(value, order="C"), name))
        return name

    def add(self, op: str, *inputs: str, name: str = "", contrib: bool = False, **attributes: Any) -> str:
        """A node with one output, whose name is returned; an empty input name is an absent input."""
        out = self._fresh(name or op)
        domain = CONTRIB if contrib else ""
        self._nodes.append(helper.make_node(op, list(inputs), [out], name=out, domain=domain, **attributes))
        return out

    def add_many(
        self, op: str, outputs: int, *inputs: str, contrib: bool = False, **attributes: Any
    ) -> list[str]:
        """A node with several outputs."""
        names = [self._fresh(op) for _ in range(outputs)]
        domain = CONTRIB if contrib else ""
        self._nodes.append(
            helper.make_node(op, list(inputs), names, name=names[0], domain=domain, **attributes)
        )
        return names

    def build(self, inputs: Sequence[tuple[str, int]], output: str, num_outputs: int) -> bytes:
        """The serialised model: int32 inputs (name, rank) with free sizes, and `logits` (rows, outputs)."""
        self._nodes.append(helper.make_node("Identity", [output], ["logits"], name="logits"))
        axes = ("rows", "tokens")
        graph = helper.make_graph(
            self._nodes,
            "gradatim",
            [helper.make_tensor_value_info(n, TensorProto.INT32, list(axes[:rank])) for n, rank in inputs],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["rows", num_outputs])],
            self._weights,
        )
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(CONTRIB, 1)]
        model = helper.make_model(graph, opset_imports=opsets, producer_name="gradatim")
        model.ir_version = IR_VERSION
        onnx.checker.check_model(model)
        return bytes(model.SerializeToString())

    def _fresh(self, name: str) -> str:
        unique, count = name, 1
        while unique in self._taken:
            count += 1
            unique = f"{name}_{count}"
        self._taken.add(unique)
        return unique
