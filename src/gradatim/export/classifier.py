"""A trained classifier as an ONNX graph: padded `ids`, `segments` and `lengths` in, `logits` out.

The graph is written with ONNX Runtime's fused operators directly (Attention, SkipLayerNormalization,
BiasGelu, LSTM), so what runs does not depend on a tracer or on an optimiser recognising a pattern.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gradatim.errors import ConfigError
from gradatim.export.graph import Graph
from gradatim.models.backbone import Backbone, BackboneConfig
from gradatim.models.classifier import Classifier, RecurrentBody, WordVectors
from gradatim.models.heads import RowHead
from gradatim.models.presets import Sizes, bert
from gradatim.nn.block import Block
from gradatim.nn.pooling import Pooling
from gradatim.nn.positions import RelativeBias
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


def _backbone(graph: Graph, body: nn.Module, segments: bool) -> str:
    """(rows, tokens, width) states of a BERT."""
    assert isinstance(body, Backbone)
    embedding, config = body.embedding, body.config.embedding
    _refuse_what_no_node_computes(body.config)
    ids = "ids"
    kinds = "segments"
    if not segments:
        kinds = graph.add("Sub", ids, ids, name="segments_zero")
    kinds_table = (
        _array(embedding.segments.weight)
        if config.num_segments
        else np.zeros((1, config.width), np.float32)  # the node wants one
    )
    x = graph.add_many(
        "EmbedLayerNormalization",
        2,
        ids,
        kinds,
        graph.weight("words", _array(embedding.words.weight)),
        graph.weight("positions", _array(embedding.positions.weight)[config.first_position :]),
        graph.weight("segment_vectors", kinds_table),
        graph.weight("embedding_scale", _array(embedding.norm.weight)),
        graph.weight("embedding_shift", _array(embedding.norm.bias)),
        contrib=True,
        epsilon=config.norm_eps,
    )[0]
    bias = _bias(graph, body.stack.bias, config.max_length) if body.stack.bias is not None else ""
    for i, block in enumerate(body.stack.blocks):
        assert isinstance(block, Block)
        x = _block(graph, f"block{i}", x, block, bias)
    return x


def _bias(graph: Graph, bias: RelativeBias, max_length: int) -> str:
    """(1, heads, tokens, tokens): each head's bias for the distance of every pair of tokens, from a table of all."""
    distances = torch.arange(1 - max_length, max_length)
    table = graph.weight("bias_by_distance", _array(bias(distances[None, None])[0, :, 0]))
    steps, zero = _steps(graph), graph.weight("first_axis", np.array([0], np.int64))
    rows = graph.add("Unsqueeze", steps, graph.weight("last_axis", np.array([1], np.int64)))
    centred = graph.add(
        "Add",
        graph.add("Sub", graph.add("Unsqueeze", steps, zero), rows),
        graph.weight("centre", np.array(max_length - 1, np.int64)),
    )
    return graph.add("Unsqueeze", graph.add("Gather", table, centred, axis=1, name="distance_bias"), zero)


def _steps(graph: Graph) -> str:
    """0, 1, ... up to the number of tokens of a padded row."""
    axis, start, step = (
        graph.weight(name, np.array(i, np.int64)) for name, i in (("axis", 1), ("z", 0), ("s", 1))
    )
    return graph.add("Range", start, graph.add("Gather", graph.add("Shape", "ids"), axis, axis=0), step)


def _refuse_what_no_node_computes(config: BackboneConfig) -> None:
    """The fused nodes know one kind of encoder; its axes are these."""
    known = bert(Sizes(vocab_size=1, num_layers=1, width=1, num_heads=1, ffn_width=1))
    free = {"width", "num_heads", "head_width", "ffn_width", "norm_eps", "dropout", "attention_dropout"}
    axes = [f.name for f in fields(config.block) if f.name not in free]
    odd = [axis for axis in axes if getattr(config.block, axis) != getattr(known.block, axis)]
    odd += ["final_norm"] * config.final_norm
    odd += [
        f"embedding {axis}"
        for axis in ("positions", "scaled", "norm")
        if getattr(config.embedding, axis) != getattr(known.embedding, axis)
    ]
    if odd:
        raise ConfigError(
            f"an encoder that differs from BERT in {', '.join(odd)} cannot be exported; choose one of the BERT family"
        )


def _block(graph: Graph, name: str, x: str, block: Block, bias: str) -> str:
    attention, ffn = block.attention, block.ffn
    heads: dict[str, Any] = {
        "name": f"{name}_attention",
        "contrib": True,
        "num_heads": attention.config.num_heads,
    }
    weight, shift = _array(attention.qkv.weight), graph.weight(f"{name}_qkv_bias", _array(attention.qkv.bias))
    if bias:  # the node that takes a bias wants queries, keys and values made before
        parts = zip("qkv", np.split(weight, 3), strict=True)
        q, k, v = (graph.add("MatMul", x, graph.weight(f"{name}_{part}_w", w.T)) for part, w in parts)
        mixed = graph.add("MultiHeadAttention", q, k, v, shift, "lengths", bias, **heads)
    else:
        mixed = graph.add("Attention", x, graph.weight(f"{name}_qkv", weight.T), shift, "lengths", **heads)
    x = _add_norm(graph, f"{name}_out", x, mixed, attention.out, block.attention_norm)
    up = graph.add("MatMul", x, graph.weight(f"{name}_up_w", _array(ffn.up.weight).T), name=f"{name}_up")
    active = graph.add("BiasGelu", up, graph.weight(f"{name}_up_b", _array(ffn.up.bias)), contrib=True)
    return _add_norm(graph, f"{name}_down", x, active, ffn.down, block.ffn_norm)


def _add_norm(graph: Graph, name: str, x: str, y: str, linear: nn.Linear, norm: nn.Module) -> str:
    """norm(x + linear(y)) as one matrix product and one fused node."""
    assert isinstance(norm, nn.LayerNorm)
    product = graph.add("MatMul", y, graph.weight(f"{name}_w", _array(linear.weight).T), name=name)
    return graph.add(
        "SkipLayerNormalization",
        x,
        product,
        graph.weight(f"{name}_scale", _array(norm.weight)),
        graph.weight(f"{name}_shift", _array(norm.bias)),
        graph.weight(f"{name}_b", _array(linear.bias)),
        contrib=True,
        epsilon=norm.eps,
    )


def _vectors(graph: Graph, body: nn.Module, segments: bool) -> str:
    """(rows, tokens, width) static vectors."""
    assert isinstance(body, WordVectors)
    return graph.add("Gather", graph.weight("words", _array(body.words.weight)), "ids", name="lookup")


def _recurrent(graph: Graph, body: nn.Module, segments: bool) -> str:
    """(rows, tokens, 2 * hidden) states of a bidirectional LSTM stack."""
    assert isinstance(body, RecurrentBody)
    fused = body.recurrent.fused
    if not isinstance(fused, nn.LSTM):
        raise ConfigError("only LSTM bodies can be exported so far")
    vectors = _vectors(graph, body.vectors, segments)
    x = graph.add("Transpose", vectors, perm=[1, 0, 2])  # time first
    for layer in range(fused.num_layers):
        # (time, directions, rows, hidden) -> (time, rows, directions * hidden)
        y = graph.add(
            "LSTM",
            x,
            *(graph.weight(f"lstm{layer}_{part}", value) for part, value in _lstm(fused, layer).items()),
            "lengths",
            name=f"lstm{layer}",
            hidden_size=fused.hidden_size,
            direction="bidirectional",
        )
        y = graph.add("Transpose", y, perm=[0, 2, 1, 3])
        x = graph.add("Reshape", y, graph.weight("merge", np.array([0, 0, 2 * fused.hidden_size], np.int64)))
    return graph.add("Transpose", x, perm=[1, 0, 2])


def _lstm(fused: nn.LSTM, layer: int) -> dict[str, Array]:
    """Weights of one layer, both directions, in ONNX's gate order (i, o, f, c) from torch's (i, f, c, o)."""

    def gates(value: Tensor) -> Array:
        i, f, c, o = np.split(_array(value), 4)
        return np.concatenate([i, o, f, c])

    suffixes = [f"l{layer}", f"l{layer}_reverse"]
    stack = {
        part: np.stack([gates(getattr(fused, f"{part}_{suffix}")) for suffix in suffixes])
        for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    }
    return {
        "w": stack["weight_ih"],
        "r": stack["weight_hh"],
        "b": np.concatenate([stack["bias_ih"], stack["bias_hh"]], axis=1),
    }


BODIES: dict[type[nn.Module], Callable[[Graph, Any, bool], str]] = {
    Backbone: _backbone,
    WordVectors: _vectors,
    RecurrentBody: _recurrent,
}


def _pool(graph: Graph, states: str, how: Pooling) -> str:
    """(rows, tokens, width) to (rows, width); padding takes no part."""
    if how == "first":
        return graph.add("Gather", states, graph.weight("zero", np.array(0, np.int64)), axis=1)
    one, steps = graph.weight("one", np.array([1], np.int64)), _steps(graph)
    lengths = graph.add("Unsqueeze", graph.add("Cast", "lengths", to=7), one)
    inside = graph.add("Less", steps, lengths)  # (rows, tokens)
    if how == "mean":
        share = graph.add("Div", graph.add("Cast", inside, to=1), graph.add("Cast", lengths, to=1))
        mixed = graph.add("MatMul", graph.add("Unsqueeze", share, one), states, name="mean")
        return graph.add("Squeeze", mixed, one)
    two = graph.weight("two", np.array([2], np.int64))
    cells = graph.add("Unsqueeze", inside, two)
    lowest = graph.weight("lowest", np.array(np.finfo(np.float32).min, np.float32))
    return graph.add("ReduceMax", graph.add("Where", cells, states, lowest), axes=[1], keepdims=0)


def _head(graph: Graph, pooled: str, head: RowHead) -> str:
    if head.inner is not None:
        raise ConfigError("only heads of one linear layer can be exported so far")
    return _linear(graph, "head", pooled, head.linear)


def _linear(graph: Graph, name: str, x: str, linear: nn.Linear) -> str:
    product = graph.add("MatMul", x, graph.weight(f"{name}_w", _array(linear.weight).T), name=name)
    return graph.add("Add", product, graph.weight(f"{name}_b", _array(linear.bias)))


def _array(tensor: Tensor | nn.Module) -> Array:
    assert isinstance(tensor, Tensor)
    return tensor.detach().float().cpu().numpy()
