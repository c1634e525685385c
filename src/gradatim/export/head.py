"""What stands at the end of a graph that writes: scores of a vocabulary, and the best of them."""

from __future__ import annotations

from torch import nn

from gradatim.engine.names import COUNT
from gradatim.export.graph import Axes, Graph
from gradatim.export.vocabulary import word_scores
from gradatim.models.heads import LanguageHead


def logits(graph: Graph, head: LanguageHead, x: str, words: nn.Embedding | None) -> str:
    """Scores (rows, vocabulary) from states (rows, width); `words` are the vectors that the graph looks up."""
    if head.scale != 1.0:
        x = graph.add("Mul", x, graph.number("head_scale", head.scale))
    return word_scores(graph, x, head.linear, words)


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
