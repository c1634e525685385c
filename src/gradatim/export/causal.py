"""A causal Transformer as nodes of an ONNX graph, going on from the keys and values of what was read before."""

from __future__ import annotations

from collections.abc import Sequence

from gradatim.engine.language import PAST, ROWS
from gradatim.export.encoder import heads, transformer
from gradatim.export.graph import Axes, Graph
from gradatim.export.positions import SHUT, bias_before, rotation, windowed
from gradatim.models.backbone import Backbone
from gradatim.nn.axes import BlockConfig


def past_of(body: Backbone) -> list[Axes]:
    """The sizes of what it carries: which places of the past hold a token (1 or 0), keys and values of every layer.

    Rows of different lengths leave places empty, as each call puts its tokens behind all of the past.
    """
    block = body.config.block
    return [(ROWS, PAST)] + [(ROWS, block.num_heads, PAST, block.head_width)] * (2 * body.config.num_layers)


def causal(graph: Graph, body: Backbone, states: Sequence[str]) -> tuple[str, list[str]]:
    """(rows, tokens, width) states of tokens that follow a past, and the past with them; `states` are its parts."""
    before, *past = states
    one, two = graph.constant("one", [1]), graph.constant("two", [2])
    lengths = graph.add("Unsqueeze", graph.add("Cast", "lengths", to=7), one)
    inside = graph.add("Cast", graph.add("Less", graph.steps(), lengths), to=1)
    seen = graph.add("Concat", before, inside, axis=1)  # (rows, past + tokens)
    read = graph.add("Cast", graph.add("ReduceSum", before, one, keepdims=1), to=7)
    places = graph.add("Add", read, graph.steps())  # of the queries in their rows, (rows, tokens)
    keys = graph.add("Cast", graph.add("CumSum", seen, graph.constant("along", 1)), to=7)
    keys = graph.add("Unsqueeze", graph.add("Sub", keys, one), one)
    distance = graph.add("Sub", keys, graph.add("Unsqueeze", places, two))  # (rows, tokens, past + tokens)
    earlier = graph.add("LessOrEqual", distance, graph.constant("here", 0))
    held = graph.add("Cast", graph.add("Unsqueeze", seen, one), to=9)
    mask = graph.add("Unsqueeze", graph.add("And", earlier, held), one)
    bias = "" if body.stack.bias is None else bias_before(graph, body.stack.bias, distance)
    if (window := body.config.block.window) is not None:
        bias = windowed(graph, bias, graph.add("Unsqueeze", distance, one), window)
    if bias:
        mask = graph.add("Where", mask, bias, graph.number("never", SHUT))
    turn = rotation(graph, body.config, lambda: places)
    pairs, after = iter(zip(past[::2], past[1::2], strict=True)), [seen]

    def mix(name: str, qkv: Sequence[str], config: BlockConfig) -> str:
        mixed, *present = graph.add_many("Attention", 3, *turn(qkv), mask, *next(pairs), **heads(config))
        after.extend(present)
        return mixed

    return transformer(graph, body, lambda: places, mix), after
