"""Word vectors, recurrent layers and windows of words as nodes of an ONNX graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor, nn

from gradatim.export.graph import Graph, array
from gradatim.models.recurrent import RecurrentBackbone, WindowBackbone
from gradatim.nn.recurrent import Cell
from gradatim.types import Array

# Of each cell its operator, where ONNX's gates stand among torch's, and settings.
CELLS: dict[Cell, tuple[str, list[int], dict[str, Any]]] = {
    "lstm": ("LSTM", [0, 3, 1, 2], {}),  # i, o, f, c of i, f, c, o
    "gru": ("GRU", [1, 0, 2], {"linear_before_reset": 1}),  # z, r, h of r, z, h
    "rnn": ("RNN", [0], {"activations": ["Tanh"]}),
    "relu": ("RNN", [0], {"activations": ["Relu"]}),
}


def words(graph: Graph, table: nn.Embedding) -> str:
    """(rows, tokens, width) static vectors."""
    return graph.add("Gather", graph.weight("words", array(table.weight)), "ids", name="lookup")


def recurrent(graph: Graph, body: RecurrentBackbone, states: Sequence[str] = ()) -> tuple[str, list[str]]:
    """(rows, tokens, directions * hidden) states of all tokens, and what each layer has come to at the end of each row.

    `states` are the values that layers begin from, in the order of `RecurrentState.tensors`; zeros without them.
    """
    stack = body.recurrent
    op, gates, settings = CELLS[stack.cell]
    directions, parts = (2 if stack.bidirectional else 1), (2 if stack.cell == "lstm" else 1)
    if "activations" in settings:
        settings = {**settings, "activations": settings["activations"] * directions}
    x = graph.add("Transpose", words(graph, body.embedding.words), perm=[1, 0, 2])  # time first
    ends: list[str] = []
    for depth, layer in enumerate(stack.layers):
        weights = _weights(layer, gates, directions)
        y, *after = graph.add_many(
            op,
            1 + parts,
            x,
            *(graph.weight(f"{stack.cell}{depth}_{part}", value) for part, value in weights.items()),
            "lengths",
            *states[depth * parts : (depth + 1) * parts],
            hidden_size=stack.widths[depth],
            direction="bidirectional" if stack.bidirectional else "forward",
            **settings,
        )
        ends += after
        # (time, directions, rows, hidden) -> (time, rows, directions * hidden)
        y = graph.add("Transpose", y, perm=[0, 2, 1, 3])
        x = graph.add("Reshape", y, graph.constant(f"merge{depth}", [0, 0, directions * stack.widths[depth]]))
    return graph.add("Transpose", x, perm=[1, 0, 2]), ends


def window(graph: Graph, body: WindowBackbone, before: str) -> tuple[str, list[str]]:
    """(rows, tokens, hidden) states of a window of words, and the last words of each row, to go on from.

    `before` (1, rows, context - 1) are the words before the first, counted from 1; 0 is none.
    """
    config = body.config
    one, zero = graph.constant("one", [1]), graph.constant("zero", [0])
    earlier = graph.add("Cast", graph.add("Squeeze", before, zero), to=7)
    own = graph.add("Add", graph.add("Cast", "ids", to=7), one)
    read = graph.add("Concat", earlier, own, axis=1)  # (rows, context - 1 + tokens)
    table = np.pad(array(body.embedding.words.weight), ((1, 0), (0, 0)))  # no word has zeros
    vectors = graph.add("Gather", graph.weight("words_and_none", table), read, name="lookup")
    seen = [
        graph.add(
            "Gather", vectors, graph.add("Add", graph.steps(), graph.constant(f"shift{k}", [k])), axis=1
        )
        for k in range(config.context)
    ]
    joined = graph.add(
        "Reshape",
        graph.add("Concat", *seen, axis=-1),
        graph.constant("flat", [-1, config.context * config.width]),
    )
    hidden = graph.add("Tanh", graph.linear("hidden", joined, body.linear))
    starts = graph.add("Unsqueeze", graph.add("Cast", "lengths", to=7), one)
    places = graph.add("Add", starts, graph.constant("last_words", list(range(config.context - 1))))
    last = graph.add("Cast", graph.add("GatherElements", read, places, axis=1), to=1)
    states = graph.add("Reshape", hidden, graph.grid(config.hidden_width))
    return states, [graph.add("Unsqueeze", last, zero)]


def _weights(layer: nn.Module, order: list[int], directions: int) -> dict[str, Array]:
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
