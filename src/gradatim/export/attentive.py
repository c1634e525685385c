"""A recurrent encoder-decoder as two ONNX graphs: one reads sources, the other writes a token more for every row."""

from __future__ import annotations

import numpy as np
from torch import nn

from gradatim.engine.names import AFTER, COUNT, READ, STATE, VOCABULARY
from gradatim.engine.pair import GraphPair
from gradatim.engine.recurrent_stepper import ATTENTION, RecurrentStepper
from gradatim.export.graph import TOKENS, Axes, Graph
from gradatim.export.recurrent import parts, recurrent, step
from gradatim.export.vocabulary import best, word_scores, word_vectors
from gradatim.models.attentive import RecurrentSeq2Seq
from gradatim.nn.scorer import Scorer
from gradatim.types import Array, Arrays

MEMORY, KEYS = f"{STATE}_memory", f"{STATE}_keys"
VALUE = "value"  # the product with v of additive attention, one number a state: it stays in fp32


def encoder_graph(model: RecurrentSeq2Seq) -> bytes:
    """`ids` (rows, tokens) and `lengths` (rows,) in; the decoder's first states out, `state0` and on, (rows, hidden).

    With attention also what it looks at, (rows, tokens, width): `state_memory`, and `state_keys` if they differ.
    """
    graph, memory = Graph(), model.encoder.recurrent.width
    states, ends = recurrent(graph, model.encoder)
    h = ends[-parts(model.encoder.recurrent.cell)]  # (directions, rows, hidden)
    last = graph.add(
        "Reshape", graph.add("Transpose", h, perm=[1, 0, 2]), graph.constant("flat", [-1, memory])
    )
    entered = graph.add("Tanh", graph.linear("enter", last, model.enter))
    first = graph.add_many("Split", len(model.sizes), entered, graph.constant("sizes", model.sizes), axis=-1)
    outputs: dict[str, tuple[str, Axes]] = {
        f"{STATE}{i}": (part, ("rows", size))
        for i, (part, size) in enumerate(zip(first, model.sizes, strict=True))
    }
    if model.scorer is not None:
        outputs[MEMORY] = states, (*TOKENS, memory)
        if isinstance(model.scorer.key, nn.Linear):
            width = model.config.hidden_width
            flat = graph.add("Reshape", states, graph.constant("flat", [-1, memory]))
            keys = graph.linear("keys", flat, model.scorer.key)
            outputs[KEYS] = graph.add("Reshape", keys, graph.grid(width)), (*TOKENS, width)
    return graph.build({"ids": TOKENS, "lengths": ("rows",)}, outputs)


def decoder_graph(model: RecurrentSeq2Seq) -> bytes:
    """A step of `gradatim.engine.recurrent_stepper.RecurrentStepper`, which says what goes in and out.

    Rows are the beams of the sources, those of one source next to each other: they share its memory.
    """
    graph, scorer, place = Graph(), model.scorer, model.config.place
    inputs: dict[str, Axes] = {"ids": ("rows",), COUNT: (1,)}
    carried = {f"{STATE}{i}": ("rows", size) for i, size in enumerate(model.sizes)}
    x, context, weights = word_vectors(graph, model.words, model.scale), "", ""
    if scorer is not None and place == "before":
        above = len(model.sizes) - parts(model.config.cell)
        context, weights = _look(graph, scorer, f"{STATE}{above}")
        x = graph.add("Concat", x, context, axis=-1)
    x, after = step(graph, model.recurrent, x, list(carried))
    outputs: dict[str, tuple[str, Axes]] = {
        f"{name}{AFTER}": (value, carried[name]) for name, value in zip(carried, after, strict=True)
    }
    if scorer is not None:
        if place == "after":
            context, weights = _look(graph, scorer, x)
        memory = model.encoder.recurrent.width
        inputs |= {READ: ("sources",), MEMORY: ("sources", "source", memory)}
        if scorer.score != "dot":
            inputs[KEYS] = ("sources", "source", model.config.hidden_width)
        outputs[ATTENTION] = weights, ("rows", "source")
        x = graph.add("Concat", context, x, axis=-1)
    joined = graph.add("Tanh", graph.linear("join", x, model.join))
    return graph.build(
        {**inputs, **carried},
        best(graph, word_scores(graph, joined, model.head, model.words)) | outputs,
        long=(COUNT, "best"),
        facts={VOCABULARY: str(model.head.linear.out_features)},
    )


def _look(graph: Graph, scorer: Scorer, query: str) -> tuple[str, str]:
    """`nn.scorer.Scorer`: the context of each row's query, (rows, memory), and its weights, (rows, source).

    Only its first product is made row by row; from there on the beams of a source are the queries of one memory.
    """
    keys = MEMORY if scorer.score == "dot" else KEYS
    every, one = graph.constant("every", [-1]), graph.constant("one", [1])
    sources, source, width = (graph.add("Shape", keys, start=axis, end=axis + 1) for axis in range(3))
    if scorer.score == "additive":
        query = graph.linear("query", query, scorer.query)
        sides = graph.add("Reshape", query, graph.add("Concat", sources, every, one, width, axis=0))
        sums = graph.add("Tanh", graph.add("Add", sides, graph.add("Unsqueeze", keys, one)))
        scores = graph.add("Squeeze", graph.linear(VALUE, sums, scorer.value), every)
    else:
        by_source = graph.add("Reshape", query, graph.add("Concat", sources, every, width, axis=0))
        scores = graph.add("MatMul", by_source, graph.add("Transpose", keys, perm=[0, 2, 1]))
    places = graph.add(
        "Range", graph.constant("start", 0), graph.add("Squeeze", source), graph.constant("step", 1)
    )
    lengths = graph.add("Unsqueeze", graph.add("Cast", READ, to=7), graph.constant("inner", [1, 2]))
    lowest = graph.number("lowest", float(np.finfo(np.float32).min))
    scores = graph.add("Where", graph.add("Less", places, lengths), scores, lowest)
    weights = graph.add("Softmax", scores, axis=-1)  # (sources, width, source)
    context = graph.add("MatMul", weights, MEMORY)
    flat = graph.add("Concat", every, graph.add("Shape", MEMORY, start=2), axis=0)
    by_row = graph.add("Concat", every, source, axis=0)
    return graph.add("Reshape", context, flat), graph.add("Reshape", weights, by_row)


class Recorder(RecurrentStepper):
    """Keeps what the decoder graph is called with."""

    def __init__(self, pair: GraphPair, *, start: int) -> None:
        super().__init__(pair, start=start)
        self.calls: list[Arrays] = []

    def run(self, feed: dict[str, Array]) -> dict[str, Array]:
        self.calls.append(feed)
        return super().run(feed)
