"""A trained classifier as an ONNX graph: padded `ids`, `segments` and `lengths` in, `logits` out.

The graph is written with the operators that ONNX Runtime is to run, so what runs does not depend on a tracer
or on an optimiser recognising a pattern.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from torch import Tensor, nn

from gradatim.errors import ConfigError
from gradatim.export.encoder import encoder
from gradatim.export.graph import Graph, array
from gradatim.models.backbone import Backbone
from gradatim.models.classifier import Classifier, WordVectors
from gradatim.models.heads import RowHead
from gradatim.models.recurrent import RecurrentBackbone
from gradatim.nn.pooling import Pooling
from gradatim.nn.recurrent import Cell
from gradatim.types import Array


def to_onnx(model: Classifier, *, segments: bool = False) -> bytes:
    """Export; `segments` adds the input that tells the two texts of a pair apart."""
    build = BODIES.get(type(model.body))
    if build is None:
        known = ", ".join(body.__name__ for body in BODIES)
        raise ConfigError(f"a {type(model.body).__name__} body cannot be exported; known: {known}")
    graph = Graph()
    segments = segments and isinstance(model.body, Backbone) and model.body.config.embedding.num_segments > 0
    states = build(graph, model.body, segments)
    pooled = [_pool(graph, states, how) for how in model.pooling]
    joined = pooled[0] if len(pooled) == 1 else graph.add("Concat", *pooled, axis=-1)
    logits = _head(graph, joined, model.head)
    inputs = [("ids", 2), ("lengths", 1)]
    if segments:
        inputs.insert(1, ("segments", 2))
    return graph.build(inputs, logits, model.head.linear.out_features)


def _words(graph: Graph, words: nn.Embedding) -> str:
    """(rows, tokens, width) static vectors."""
    return graph.add("Gather", graph.weight("words", array(words.weight)), "ids", name="lookup")


def _vectors(graph: Graph, body: WordVectors, segments: bool) -> str:
    return _words(graph, body.words)


def _recurrent(graph: Graph, body: RecurrentBackbone, segments: bool) -> str:
    """(rows, tokens, directions * hidden) states of a recurrent stack."""
    recurrent = body.recurrent
    op, gates, settings = CELLS[recurrent.cell]
    directions = 2 if recurrent.bidirectional else 1
    if recurrent.cell in ("rnn", "relu"):
        settings = {**settings, "activations": settings["activations"] * directions}
    x = graph.add("Transpose", _words(graph, body.embedding.words), perm=[1, 0, 2])  # time first
    for depth, layer in enumerate(recurrent.layers):
        # (time, directions, rows, hidden) -> (time, rows, directions * hidden)
        parts = _gates(layer, gates, directions)
        y = graph.add(
            op,
            x,
            *(graph.weight(f"{recurrent.cell}{depth}_{part}", value) for part, value in parts.items()),
            "lengths",
            name=f"{recurrent.cell}{depth}",
            hidden_size=layer.hidden_size,
            direction="bidirectional" if recurrent.bidirectional else "forward",
            **settings,
        )
        y = graph.add("Transpose", y, perm=[0, 2, 1, 3])
        width = directions * recurrent.widths[depth]
        x = graph.add("Reshape", y, graph.constant(f"merge{depth}", [0, 0, width]))
    return graph.add("Transpose", x, perm=[1, 0, 2])


# Of each cell its operator, where ONNX's gates stand among torch's, and settings.
CELLS: dict[Cell, tuple[str, list[int], dict[str, Any]]] = {
    "lstm": ("LSTM", [0, 3, 1, 2], {}),  # i, o, f, c of i, f, c, o
    "gru": ("GRU", [1, 0, 2], {"linear_before_reset": 1}),  # z, r, h of r, z, h
    "rnn": ("RNN", [0], {"activations": ["Tanh"]}),
    "relu": ("RNN", [0], {"activations": ["Relu"]}),
}


def _gates(layer: nn.Module, order: list[int], directions: int) -> dict[str, Array]:
    """Weights of one layer, all directions, with their gates in this order."""

    def sorted_gates(value: Tensor) -> Array:
        parts = np.split(array(value), len(order))
        return np.concatenate([parts[i] for i in order])

    suffixes = ["l0", "l0_reverse"][:directions]
    stack = {
        part: np.stack([sorted_gates(getattr(layer, f"{part}_{suffix}")) for suffix in suffixes])
        for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    }
    return {
        "w": stack["weight_ih"],
        "r": stack["weight_hh"],
        "b": np.concatenate([stack["bias_ih"], stack["bias_hh"]], axis=1),
    }


BODIES: dict[type[nn.Module], Callable[[Graph, Any, bool], str]] = {
    Backbone: encoder,
    WordVectors: _vectors,
    RecurrentBackbone: _recurrent,
}


def _pool(graph: Graph, states: str, how: Pooling) -> str:
    """(rows, tokens, width) to (rows, width); padding takes no part."""
    if how == "first":
        return graph.add("Gather", states, graph.constant("first", 0), axis=1)
    one, steps = graph.constant("one", [1]), graph.steps()
    lengths = graph.add("Unsqueeze", graph.add("Cast", "lengths", to=7), one)
    inside = graph.add("Less", steps, lengths)  # (rows, tokens)
    if how == "mean":
        share = graph.add("Div", graph.add("Cast", inside, to=1), graph.add("Cast", lengths, to=1))
        mixed = graph.add("MatMul", graph.add("Unsqueeze", share, one), states, name="mean")
        return graph.add("Squeeze", mixed, one)
    cells = graph.add("Unsqueeze", inside, graph.constant("two", [2]))
    lowest = graph.weight("lowest", np.array(np.finfo(np.float32).min, np.float32))
    return graph.add("ReduceMax", graph.add("Where", cells, states, lowest), one, keepdims=0)


def _head(graph: Graph, pooled: str, head: RowHead) -> str:
    if head.inner is not None:
        raise ConfigError("only heads of one linear layer can be exported so far")
    return graph.linear("head", pooled, head.linear)
