"""ELMo as nodes of an ONNX graph: words from their letters, read forward and backward."""

from __future__ import annotations

from typing import Any

from gradatim.export.graph import Graph, array
from gradatim.export.recurrent import layers
from gradatim.models.elmo import ElmoBackbone
from gradatim.nn.characters import CharacterCNN
from gradatim.text.characters import LETTERS


def elmo(graph: Graph, body: ElmoBackbone) -> list[str]:
    """(rows, tokens, 2 width) states of the words and of each layer; the input `ids` are (rows, tokens, LETTERS)."""
    words = graph.add("Reshape", _words(graph, body.embedding), graph.grid(body.config.width))
    left = right = words
    hidden = [graph.add("Concat", words, words, axis=-1)]
    pairs: Any = zip(body.forwards, body.backwards, strict=True)
    for depth, (onward, back) in enumerate(pairs):
        ahead, behind = layers(graph, onward, left)[0], layers(graph, back, right, backward=True)[0]
        if depth:
            ahead, behind = graph.add("Add", ahead, left), graph.add("Add", behind, right)
        left, right = ahead, behind
        hidden.append(graph.add("Concat", left, right, axis=-1))
    return hidden


def _words(graph: Graph, cnn: CharacterCNN) -> str:
    """(rows * tokens, width): convolutions over letters, the largest value over places, highways."""
    flat = graph.add("Reshape", "ids", graph.constant("flat_letters", [-1, LETTERS]))
    symbols = graph.add("Gather", graph.weight("symbols", array(cnn.symbols.weight)), flat)
    symbols = graph.add("Transpose", symbols, perm=[0, 2, 1])
    last, found = graph.constant("last_axis", [2]), []
    for i, part in enumerate(cnn.filters):
        weights = (
            graph.weight(f"filter{i}_{name}", array(getattr(part, name))) for name in ("weight", "bias")
        )
        seen = graph.add("Relu", graph.add("Conv", symbols, *weights))
        found.append(graph.add("ReduceMax", seen, last, keepdims=0))
    x = graph.add("Concat", *found, axis=-1)
    highway: Any
    for i, highway in enumerate(cnn.highways):
        new, gate = graph.add_many(
            "Split", 2, graph.linear(f"highway{i}", x, highway), axis=-1, num_outputs=2
        )
        difference = graph.add("Sub", graph.add("Relu", new), x)
        x = graph.add("Add", x, graph.add("Mul", graph.add("Sigmoid", gate), difference))
    return graph.linear("words", x, cnn.linear)
