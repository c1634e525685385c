"""A trained classifier as an ONNX graph: padded `ids`, `segments` and `lengths` in, `logits` out.

The graph is written with the operators that ONNX Runtime is to run, so what runs does not depend on a tracer
or on an optimiser recognising a pattern.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from torch import nn

from gradatim.errors import ConfigError
from gradatim.export.encoder import encoder
from gradatim.export.graph import TOKENS, Graph
from gradatim.export.recurrent import recurrent, words
from gradatim.models.backbone import Backbone
from gradatim.models.classifier import Classifier, WordVectors
from gradatim.models.heads import RowHead
from gradatim.models.recurrent import RecurrentBackbone
from gradatim.nn.pooling import Pooling


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
    inputs = {"ids": TOKENS, **({"segments": TOKENS} if segments else {}), "lengths": ("rows",)}
    return graph.build(inputs, {"logits": (logits, ("rows", model.head.linear.out_features))})


def _vectors(graph: Graph, body: WordVectors, segments: bool) -> str:
    return words(graph, body.words)


def _recurrent(graph: Graph, body: RecurrentBackbone, segments: bool) -> str:
    return recurrent(graph, body)[0]


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
