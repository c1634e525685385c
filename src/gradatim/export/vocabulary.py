"""Words in a graph: their vectors going in, their scores coming out, by one table where the model has but one."""

from __future__ import annotations

from torch import nn

from gradatim.engine.names import COUNT
from gradatim.export.graph import Axes, Graph, array
from gradatim.export.quantise import LOOKUP
from gradatim.models.heads import LanguageHead
from gradatim.types import Array

WORDS = "words"  # the table of vectors, as the model has them
SCORES = "vocabulary"


def word_vectors(graph: Graph, words: nn.Embedding, scale: float = 1.0) -> str:
    """Those of `ids`, (rows, tokens, width) or, of one token a row, (rows, width)."""
    found = graph.add("Gather", graph.weight(WORDS, array(words.weight)), "ids", name=LOOKUP)
    return found if scale == 1.0 else graph.add("Mul", found, graph.number("word_scale", scale))


def marked(graph: Graph, x: str, name: str, table: Array) -> str:
    """x (rows, tokens, width) with the vectors of an input of that name, (rows, tokens), which says more of tokens."""
    vectors = graph.weight(f"{name}_vectors", table)
    return graph.add("Add", x, graph.add("Gather", vectors, name, name=f"{name}_lookup"))


def word_scores(graph: Graph, x: str, head: LanguageHead, words: nn.Embedding | None) -> str:
    """x W^T + b (rows, vocabulary) of states x; W is the table of `words` that are looked up, if they are tied."""
    if head.scale != 1.0:
        x = graph.add("Mul", x, graph.number("head_scale", head.scale))
    linear = head.linear
    if words is None or linear.weight is not words.weight:
        return graph.linear(SCORES, x, linear)
    bias = () if linear.bias is None else (graph.weight(f"{SCORES}_b", array(linear.bias)),)
    return graph.add("Gemm", x, WORDS, *bias, name=SCORES, transB=1)


def best(graph: Graph, logits: str, log_probs: str = "", rows: str = "rows") -> dict[str, tuple[str, Axes]]:
    """The best scores of each row (rows, vocabulary), their tokens, and the logarithm of the sum of all exp(scores)."""
    scores, ids = graph.add_many("TopK", 2, logits, COUNT, axis=1)
    log_probs = log_probs or graph.add("LogSoftmax", logits, axis=-1)
    first = graph.constant("first", [0])
    column = [graph.add("Gather", value, first, axis=1) for value in (logits, log_probs)]
    return {
        "scores": (scores, (rows, "count")),
        "best": (ids, (rows, "count")),
        "norm": (graph.add("Sub", *column), (rows, 1)),
    }
