"""A small builder of ONNX graphs: add nodes in order, get bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from gradatim.engine.names import STATE
from gradatim.types import Array

OPSET = 24  # Attention with the lengths of its rows
CONTRIB = "com.microsoft"  # ONNX Runtime's own operators
IR_VERSION = 11

Axes = Sequence[int | str]  # sizes, or names of those that are free
TOKENS: Axes = ("rows", "tokens")


class Graph:
    """Nodes and weights under construction; names are made here, callers hold them as strings.

    The inputs are `ids` (rows, tokens, ...), perhaps others of the shape (rows, tokens), and `lengths` (rows,).
    """

    def __init__(self) -> None:
        self._nodes: list[Any] = []
        self._weights: list[Any] = []
        self._taken: set[str] = set()
        self._made: dict[str, str] = {}

    def weight(self, name: str, value: np.ndarray) -> str:
        """A tensor that belongs to the model."""
        name = self._fresh(name)
        self._weights.append(numpy_helper.from_array(np.asarray(value, order="C"), name))
        return name

    def constant(self, name: str, value: int | Sequence[int]) -> str:
        """int64 numbers that say how something is computed; the same name is the same constant."""
        if name not in self._made:
            self._made[name] = self.weight(name, np.array(value, np.int64))
        return self._made[name]

    def number(self, name: str, value: float) -> str:
        """One float32 number."""
        return self.weight(name, np.array(value, np.float32))

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
        names, domain = [self._fresh(op) for _ in range(outputs)], CONTRIB if contrib else ""
        self._nodes.append(
            helper.make_node(op, list(inputs), names, name=names[0], domain=domain, **attributes)
        )
        return names

    def linear(self, name: str, x: str, linear: nn.Linear) -> str:
        """x W^T + b of states (any, width)."""
        return self.affine(name, x, linear.weight, linear.bias)

    def affine(self, name: str, x: str, w: Tensor, b: Tensor | None) -> str:
        """The same of a matrix W (outputs, width) and a vector b (outputs,)."""
        weight = self.weight(f"{name}_w", array(w).T)
        if b is None:
            return self.add("MatMul", x, weight, name=name)
        return self.add("Gemm", x, weight, self.weight(f"{name}_b", array(b)), name=name)

    def steps(self) -> str:
        """0, 1, ... up to the number of tokens of a padded row."""
        if "steps" not in self._made:
            tokens = self.add("Gather", self.shape(), self.constant("second", 1), axis=0)
            start, step = self.constant("start", 0), self.constant("step", 1)
            self._made["steps"] = self.add("Range", start, tokens, step, name="steps")
        return self._made["steps"]

    def grid(self, width: int) -> str:
        """The shape (rows, tokens, width)."""
        name = f"grid_{width}"
        if name not in self._made:
            last = self.constant(f"width_{width}", [width])
            self._made[name] = self.add("Concat", self.shape(), last, name=name, axis=0)
        return self._made[name]

    def build(
        self,
        inputs: Mapping[str, Axes],
        outputs: Mapping[str, tuple[str, Axes]],
        *,
        long: Sequence[str] = (),
        facts: Mapping[str, str] | None = None,
    ) -> bytes:
        """The serialised model. An input has int32 numbers, or float32 where its name begins with "state"; an output is
        a value made before, float32, under its own name. Those named in `long` are int64. `facts` are its metadata.
        """

        def kind(name: str, usual: int) -> int:
            return int(TensorProto.INT64 if name in long else usual)

        self._nodes += [
            helper.make_node("Identity", [value], [name], name=name) for name, (value, _) in outputs.items()
        ]
        graph = helper.make_graph(
            self._nodes,
            "gradatim",
            [
                helper.make_tensor_value_info(
                    name, kind(name, TensorProto.FLOAT if name.startswith(STATE) else TensorProto.INT32), axes
                )
                for name, axes in inputs.items()
            ],
            [
                helper.make_tensor_value_info(name, kind(name, TensorProto.FLOAT), axes)
                for name, (_, axes) in outputs.items()
            ],
            self._weights,
        )
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(CONTRIB, 1)]
        model = helper.make_model(graph, opset_imports=opsets, producer_name="gradatim")
        model.ir_version = IR_VERSION
        helper.set_model_props(model, dict(facts or {}))
        onnx.checker.check_model(model)
        return bytes(model.SerializeToString())

    def shape(self) -> str:
        """(rows, tokens)."""
        if "shape" not in self._made:
            self._made["shape"] = self.add("Shape", "ids", name="shape", start=0, end=2)
        return self._made["shape"]

    def _fresh(self, name: str) -> str:
        unique, count = name, 1
        while unique in self._taken:
            count += 1
            unique = f"{name}_{count}"
        self._taken.add(unique)
        return unique


def array(tensor: Tensor | nn.Module) -> Array:
    """The values of a parameter, float32."""
    assert isinstance(tensor, Tensor)
    return tensor.detach().float().cpu().numpy()
