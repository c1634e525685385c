"""Words in a graph: their vectors going in, their scores coming out, by one table where the model has but one."""

from __future__ import annotations

from torch import nn

from gradatim.export.graph import Graph, array
from gradatim.export.quantise import LOOKUP

WORDS = "words"  # the table of vectors, as the model has them


def word_vectors(graph: Graph, words: nn.Embedding, scale: float = 1.0) -> str:
    """Those of `ids`, (rows, tokens, width) or, of one token a row, (rows, width)."""
    found = graph.add("Gather", graph.weight(WORDS, array(words.weight)), "ids", name=LOOKUP)
    return found if scale == 1.0 else graph.add("Mul", found, graph.number("word_scale", scale))


def word_scores(graph: Graph, x: str, linear: nn.Linear, words: nn.Embedding | None) -> str:
    """x W^T + b for every word of the vocabulary; W is the table of `words`, if the model has tied them."""
    name = "vocabulary"
    if words is None or linear.weight is not words.weight:
        return graph.linear(name, x, linear)
    bias = () if linear.bias is None else (graph.weight(f"{name}_b", array(linear.bias)),)
    return graph.add("Gemm", x, WORDS, *bias, name=name, transB=1)
