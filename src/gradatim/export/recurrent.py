"""Recurrent layers and windows of words as nodes of an ONNX graph."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from torch import Tensor, nn

from gradatim.export.graph import Graph, array
from gradatim.export.vocabulary import marked, word_vectors
from gradatim.models.recurrent import RecurrentBackbone, WindowBackbone
from gradatim.nn.recurrent import Cell, Recurrent
from gradatim.types import Array

# Of each cell its operator, where ONNX's gates stand among torch's, and settings.
CELLS: dict[Cell, tuple[str, list[int], dict[str, Any]]] = {
    "lstm": ("LSTM", [0, 3, 1, 2], {}),  # i, o, f, c of i, f, c, o
    "gru": ("GRU", [1, 0, 2], {"linear_before_reset": 1}),  # z, r, h of r, z, h
    "rnn": ("RNN", [0], {"activations": ["Tanh"]}),
    "relu": ("RNN", [0], {"activations": ["Relu"]}),
}


def parts(cell: Cell) -> int:
    """How many tensors a layer is carried on by: h, and c of an LSTM."""
    return 2 if cell == "lstm" else 1


def recurrent(
    graph: Graph, body: RecurrentBackbone, states: Sequence[str] = (), *, told: Collection[str] = ()
) -> tuple[str, list[str]]:
    """(rows, tokens, directions * hidden) states of all tokens, and what each layer has come to at the end of each row.

    `states` are the values that layers begin from, in the order of `RecurrentState.tensors`; zeros without them. `told`
    names the inputs, marks, that say more of tokens than their ids.
    """
    x = word_vectors(graph, body.embedding.words, body.config.scale)
    for name in told:
        x = marked(graph, x, name, array(body.embedding.marks[name].weight))
    return layers(graph, body.recurrent, x, states)


def layers(
    graph: Graph, stack: Recurrent, x: str, states: Sequence[str] = (), *, backward: bool = False
) -> tuple[str, list[str]]:
    """The same of layers that read x (rows, tokens, width); `backward`: of one direction, from the end of each row."""
    op, gates, settings = CELLS[stack.cell]
    directions, count = (2 if stack.bidirectional else 1), parts(stack.cell)
    if "activations" in settings:
        settings = {**settings, "activations": settings["activations"] * directions}
    x = graph.add("Transpose", x, perm=[1, 0, 2])  # time first
    ends: list[str] = []
    for depth, layer in enumerate(stack.layers):
        weights = _weights(layer, gates, directions)
        y, *after = graph.add_many(
            op,
            1 + count,
            x,
            *(graph.weight(f"{stack.cell}{depth}_{part}", value) for part, value in weights.items()),
            "lengths",
            *states[depth * count : (depth + 1) * count],
            hidden_size=stack.widths[depth],
            direction="bidirectional" if stack.bidirectional else "reverse" if backward else "forward",
            **settings,
        )
        ends += after
        # (time, directions, rows, hidden) -> (time, rows, directions * hidden)
        y = graph.add("Transpose", y, perm=[0, 2, 1, 3])
        merged = directions * stack.widths[depth]
        x = graph.add("Reshape", y, graph.constant(f"merge{merged}", [0, 0, merged]))
    return graph.add("Transpose", x, perm=[1, 0, 2]), ends


def step(graph: Graph, stack: Recurrent, x: str, states: Sequence[str]) -> tuple[str, list[str]]:
    """One token of every row, x (rows, width): what the last layer says, and the states after it.

    `states` (rows, hidden) are in the order of `RecurrentState.tensors`. Written out as in `nn.cells`: the operators of
    ONNX have their products inside, where they get no constant steps in 8 bits.
    """
    count, after = parts(stack.cell), []
    layer: Any
    for depth, layer in enumerate(stack.layers):
        state = states[depth * count : (depth + 1) * count]
        read = graph.affine(f"read{depth}", x, layer.weight_ih_l0, layer.bias_ih_l0)
        kept = graph.affine(f"kept{depth}", state[0], layer.weight_hh_l0, layer.bias_hh_l0)
        after += _cell(graph, stack.cell, read, kept, state)
        x = after[-count]
    return x, after


def _cell(graph: Graph, cell: Cell, read: str, kept: str, state: Sequence[str]) -> list[str]:
    """`nn.cells.step`, of which `read` is x and `kept` is h, (rows, gates * hidden)."""
    if cell == "gru":
        (xr, xz, xn), (hr, hz, hn) = (
            graph.add_many("Split", 3, part, axis=-1, num_outputs=3) for part in (read, kept)
        )
        r, z = (graph.add("Sigmoid", graph.add("Add", *gate)) for gate in ((xr, hr), (xz, hz)))
        n = graph.add("Tanh", graph.add("Add", xn, graph.add("Mul", r, hn)))
        # (1 - z) n + z h = n + z (h - n)
        return [graph.add("Add", n, graph.add("Mul", z, graph.add("Sub", state[0], n)))]
    both = graph.add("Add", read, kept)
    if cell != "lstm":
        return [graph.add("Tanh" if cell == "rnn" else "Relu", both)]
    i, f, g, o = graph.add_many("Split", 4, both, axis=-1, num_outputs=4)
    i, f, o = (graph.add("Sigmoid", gate) for gate in (i, f, o))
    new, old = graph.add("Mul", i, graph.add("Tanh", g)), graph.add("Mul", f, state[1])
    c = graph.add("Add", old, new)
    return [graph.add("Mul", o, graph.add("Tanh", c)), c]


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
