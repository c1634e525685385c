"""Where tokens stand, as nodes of an ONNX graph: rotations, biases by distance, and what is too far to be seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from gradatim.export.graph import Graph, array
from gradatim.models.backbone import BackboneConfig
from gradatim.nn.positions import RelativeBias, angles

# The score of a key that is not seen. Its weight is exactly 0, and a query that sees none, as padding may, still has
# numbers: NaN would spread from there.
SHUT = -1e30
# Queries, keys and values (rows, tokens, inner) become those that attention takes.
Turn = Callable[[Sequence[str]], Sequence[str]]


def rotation(graph: Graph, config: BackboneConfig, places: Callable[[], str]) -> Turn:
    """Rotates queries and keys by their places, (rows, tokens) below `max_length`, where the configuration says so."""
    block = config.block
    if not block.rotary:
        return lambda qkv: qkv
    turns = angles(torch.arange(config.max_length), block.head_width)
    tables = graph.weight("cosines", array(turns.cos())), graph.weight("sines", array(turns.sin()))
    at = places()

    def turn(qkv: Sequence[str]) -> Sequence[str]:
        *both, v = qkv
        return *(graph.add("RotaryEmbedding", x, *tables, at, num_heads=block.num_heads) for x in both), v

    return turn


def between(graph: Graph) -> str:
    """(tokens, tokens): key minus query, of all pairs of tokens."""
    steps = graph.steps()
    rows = graph.add("Unsqueeze", steps, graph.constant("one", [1]))
    return graph.add("Sub", graph.add("Unsqueeze", steps, graph.constant("zero", [0])), rows)


def bias_between(graph: Graph, bias: RelativeBias, distance: str, max_length: int) -> str:
    """(1, heads, tokens, tokens): each head's bias for distances (tokens, tokens), from a table of all."""
    distances = torch.arange(1 - max_length, max_length)
    table = graph.weight("bias_by_distance", array(bias(distances[None, None])[0, :, 0]))
    centred = graph.add("Add", distance, graph.constant("centre", max_length - 1))
    by_head = graph.add("Gather", table, centred, axis=1, name="distance_bias")
    return graph.add("Unsqueeze", by_head, graph.constant("zero", [0]))


def bias_before(graph: Graph, bias: RelativeBias, distance: str) -> str:
    """(rows, heads, queries, keys): each head's bias for distances (rows, queries, keys), none of them positive.

    From `max_distance` on all distances have the same.
    """
    table = array(bias(torch.arange(-bias.max_distance, 1)[None, None])[0, :, 0])
    ends = [graph.constant(name, value) for name, value in (("farthest", -bias.max_distance), ("here", 0))]
    places = graph.add("Sub", graph.add("Clip", distance, *ends), ends[0])
    by_head = graph.add("Gather", graph.weight("bias_by_distance", table), places, axis=1)
    return graph.add("Transpose", by_head, perm=[1, 0, 2, 3])


def bias_of_written(graph: Graph, bias: RelativeBias, written: str, max_length: int) -> str:
    """(1, heads, 1, written + 1): each head's bias for the distance to every token before; `written` is their count."""
    distances = torch.arange(-max_length, 1)
    table = graph.weight("bias_by_distance", array(bias(distances[None, None])[0, :, 0]))
    first = graph.add("Sub", graph.constant("longest", [max_length]), written)
    end = graph.constant("table_end", [max_length + 1])
    near = graph.add("Slice", table, first, end, graph.constant("second_axis", [1]))
    return graph.add("Unsqueeze", near, graph.constant("outer", [0, 2]))


def windowed(graph: Graph, bias: str, distance: str, window: int) -> str:
    """A bias, or none, with what is more than `window` tokens away shut."""
    far = graph.add("Greater", graph.add("Abs", distance), graph.constant("window", window))
    return graph.add("Where", far, graph.number("shut", SHUT), bias or graph.number("open", 0.0))
