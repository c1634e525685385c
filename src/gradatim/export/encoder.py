"""A Transformer encoder as nodes of an ONNX graph, for every axis that a backbone may vary.

Standard operators are used where ONNX Runtime is faster with them than with its own fused ones: on a CPU
LayerNormalization takes an eighth of the time of SkipLayerNormalization, and Attention half of that of
MultiHeadAttention (benchmarks/NOTES.md).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from itertools import islice
from typing import Any

import numpy as np
from torch import nn

from gradatim.errors import ConfigError
from gradatim.export.graph import Graph, array
from gradatim.export.positions import between, bias_between, rotation, windowed
from gradatim.export.vocabulary import marked, word_vectors
from gradatim.models.backbone import Backbone
from gradatim.nn.axes import BlockConfig
from gradatim.nn.block import Block, FeedForward
from gradatim.nn.embedding import Embedding
from gradatim.nn.multihead import Attention
from gradatim.types import Array

ACTIVATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "gelu": ("Gelu", {}),
    "gelu_tanh": ("Gelu", {"approximate": "tanh"}),
    "relu": ("Relu", {}),
    "tanh": ("Tanh", {}),
}
# A name, queries, keys and values (rows, tokens, inner) become what attention makes of them, of the same shape.
Mix = Callable[[str, Sequence[str], BlockConfig], str]


def encoder(graph: Graph, body: nn.Module, told: Collection[str] = (), trace: list[str] | None = None) -> str:
    """(rows, tokens, width) states of a backbone over whole rows; a `trace` gets those of every layer too.

    `told` names the inputs, `segments` and marks, that say more of tokens than their ids.
    """
    assert isinstance(body, Backbone)
    lengths = graph.add("Cast", "lengths", to=7)
    block, longest = body.config.block, body.config.max_length
    bias, distance = "", ""
    if body.stack.bias is not None or block.window is not None:
        distance = between(graph)
    if body.stack.bias is not None:
        bias = bias_between(graph, body.stack.bias, distance, longest)
    if block.window is not None:
        bias = windowed(graph, bias, distance, block.window)
    turn = rotation(graph, body.config, lambda: graph.add("Expand", graph.steps(), graph.shape()))

    def mix(name: str, qkv: Sequence[str], config: BlockConfig) -> str:
        # Padding follows the text: where a token sees only what came before it, it sees none.
        padding = () if config.causal else ("", "", lengths)
        settings = heads(config) | ({"is_causal": 1} if config.causal else {})
        return graph.add("Attention", *turn(qkv), bias, *padding, name=f"{name}_attention", **settings)

    return transformer(graph, body, graph.steps, mix, told=told, trace=trace)


def transformer(
    graph: Graph,
    body: Backbone,
    places: Callable[[], str],
    mix: Mix,
    *,
    told: Collection[str] = (),
    trace: list[str] | None = None,
) -> str:
    """(rows, tokens, width) states of tokens at these places; `mix` is what their attention does.

    Between attentions all tokens lie flat, (rows * tokens, width).
    """
    if body.config.block.cross:
        raise ConfigError("a Transformer that looks at a source cannot be exported without what reads it")
    hidden = [x := _embedding(graph, body.embedding, places, told)]
    x = graph.add("Reshape", x, graph.constant("flat", [-1, body.config.width]))
    for i, block in enumerate(body.stack.blocks):
        assert isinstance(block, Block)
        x = _block(graph, f"block{i}", x, block, mix)
        hidden.append(x)
    if body.config.final_norm:
        hidden[-1] = norm(graph, "final_norm", x, body.stack.norm)
    grid = graph.grid(body.config.width)
    last = graph.add("Reshape", hidden.pop(), grid)
    if trace is not None:
        embedded, *between = hidden
        trace += [embedded, *(graph.add("Reshape", states, grid) for states in between), last]
    return last


def _embedding(graph: Graph, embedding: Embedding, places: Callable[[], str], told: Collection[str]) -> str:
    x = lookup(graph, embedding, places, told)
    for name, table in _tables(embedding).items():
        if name in told:
            x = marked(graph, x, name, table)
    return norm(graph, "embedding_norm", x, embedding.norm) if embedding.config.norm else x


def _tables(embedding: Embedding) -> dict[str, Array]:
    """The vectors of what may be told of a token."""
    segments = {"segments": embedding.segments} if embedding.config.num_segments else {}
    return {name: array(table.weight) for name, table in (*segments.items(), *embedding.marks.items())}


def lookup(graph: Graph, embedding: Embedding, places: Callable[[], str], told: Collection[str] = ()) -> str:
    """The vectors of `ids`, with those of the places at which they stand, and of 0 for what is not told."""
    config = embedding.config
    x = word_vectors(graph, embedding.words, config.width**0.5 if config.scaled else 1.0)
    positions = np.zeros((config.max_length, config.width), np.float32)
    if config.positions == "learned":
        positions = positions + array(embedding.positions.weight)[config.first_position :]
    elif config.positions != "none":
        positions = positions + array(embedding.sinusoids)
    for name, vectors in _tables(embedding).items():
        if name not in told:
            positions = positions + vectors[0]
    if not positions.any():
        return x
    table = graph.weight("positions", positions)
    keys = list(islice(config.marks.items(), config.restart))
    at = _restarted(graph, keys) if keys and set(config.marks) <= set(told) else places()
    return graph.add("Add", x, graph.add("Gather", table, at, name="position_lookup"))


def _restarted(graph: Graph, marks: Sequence[tuple[str, int]]) -> str:
    """(rows, tokens): how many tokens after the first one of its row with the same marks each token stands."""
    key = marks[0][0]
    for name, size in marks[1:]:
        key = graph.add("Add", graph.add("Mul", key, graph.weight("values", np.array(size, np.int32))), name)
    one, two = graph.constant("one", [1]), graph.constant("two", [2])
    same = graph.add("Equal", graph.add("Unsqueeze", key, two), graph.add("Unsqueeze", key, one))
    first = graph.add("ArgMax", graph.add("Cast", same, to=6), axis=2, keepdims=0)
    return graph.add("Sub", graph.steps(), first)


def _block(graph: Graph, name: str, x: str, block: Block, mix: Mix) -> str:
    """post: x = norm(x + f(x))        pre: x = x + f(norm(x))"""
    for part, normed in (("attention", block.attention_norm), ("ffn", block.ffn_norm)):
        read = norm(graph, f"{name}_{part}_norm", x, normed) if block.pre else x
        if part == "attention":
            y = _attention(graph, name, read, block.attention, mix)
        else:
            y = feed_forward(graph, name, read, block.ffn, block.attention.config.activation)
        x = graph.add("Add", x, y)
        if not block.pre:
            x = norm(graph, f"{name}_{part}_norm", x, normed)
    return x


def _attention(graph: Graph, name: str, x: str, attention: Attention, mix: Mix) -> str:
    config = attention.config
    inner = config.num_heads * config.head_width
    qkv = graph.linear(f"{name}_qkv", x, attention.qkv)
    rows = graph.add("Reshape", qkv, graph.grid(3 * inner))
    thirds = graph.add_many("Split", 3, rows, graph.constant("thirds", [inner] * 3), axis=-1)
    flat = graph.add("Reshape", mix(name, thirds, config), graph.constant("flat_heads", [-1, inner]))
    return graph.linear(f"{name}_out", flat, attention.out)


def feed_forward(graph: Graph, name: str, x: str, ffn: FeedForward, activation: str) -> str:
    """Position-wise, gated or not."""
    up = graph.linear(f"{name}_up", x, ffn.up)
    if ffn.gate is None:
        active = activated(graph, up, activation)
    else:
        gate = graph.linear(f"{name}_gate", x, ffn.gate)
        active = graph.add("Mul", activated(graph, gate, activation), up)
    return graph.linear(f"{name}_down", active, ffn.down)


def activated(graph: Graph, x: str, name: str) -> str:
    """An activation by its name."""
    if name == "silu":
        return graph.add("Mul", x, graph.add("Sigmoid", x))
    op, attributes = ACTIVATIONS[name]
    return graph.add(op, x, **attributes)


def norm(graph: Graph, name: str, x: str, layer: nn.Module) -> str:
    """LayerNorm or RMSNorm."""
    assert isinstance(layer, nn.LayerNorm | nn.RMSNorm)
    factor = graph.weight(f"{name}_scale", array(layer.weight))
    settings: dict[str, Any] = {"name": name, "axis": -1, "epsilon": layer.eps}
    if isinstance(layer, nn.RMSNorm):
        return graph.add("RMSNormalization", x, factor, **settings)
    return graph.add(
        "LayerNormalization", x, factor, graph.weight(f"{name}_shift", array(layer.bias)), **settings
    )


def heads(config: BlockConfig) -> dict[str, Any]:
    """Settings of an attention whose heads lie side by side."""
    return {"q_num_heads": config.num_heads, "kv_num_heads": config.num_heads, **scale(config)}


def scale(config: BlockConfig) -> dict[str, Any]:
    """What scores are multiplied by, where it is not head_width^-0.5."""
    return {} if config.scale is None else {"scale": config.scale}
