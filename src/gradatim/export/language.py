"""A trained causal model as an ONNX graph that scores next tokens, and carries its state where it has one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gradatim.engine.artifact import write_artifact
from gradatim.engine.language import AFTER, STATE
from gradatim.engine.manifest import JSON
from gradatim.errors import ConfigError
from gradatim.export.encoder import encoder
from gradatim.export.graph import TOKENS, Axes, Graph, array
from gradatim.export.recurrent import recurrent, window
from gradatim.models.backbone import Backbone
from gradatim.models.heads import LanguageHead
from gradatim.models.language import LanguageModel
from gradatim.models.recurrent import RecurrentBackbone, WindowBackbone
from gradatim.types import Task

KIND = "causal-onnx"


def write_language(
    path: Path, model: LanguageModel, tokenizer: str, *, end: int, provenance: Mapping[str, JSON]
) -> None:
    """Write a model as one file that runs without torch; `end` is the token that opens and closes a text."""
    write_artifact(
        path,
        kind=KIND,
        task=Task(()),
        encoder={"kind": "tokens", "end": end, "longest": model.body.config.longest},
        members={"model.onnx": to_onnx(model), "tokenizer.json": tokenizer.encode()},
        provenance=provenance,
    )


def to_onnx(model: LanguageModel) -> bytes:
    """Export: `ids`, `targets` (rows, tokens), `lengths` (rows,) and states in; `log_probs` (rows, tokens) of the
    targets, `next` (vocabulary,), the log probabilities after the last token of the last row, and states out.
    """
    body: Any = model.body
    head = model.head
    if not isinstance(head, LanguageHead):
        raise ConfigError(
            f"a language model with a {type(head).__name__} cannot be exported: it is not causal"
        )
    graph = Graph()
    inputs: dict[str, Axes] = {"ids": TOKENS, "targets": TOKENS, "lengths": ("rows",)}
    ends: dict[str, tuple[str, Axes]] = {}
    if isinstance(body, Backbone):
        x = encoder(graph, body, segments=False)
    else:
        begin: dict[str, Axes] = {}
        for part in body.begin(1).tensors:  # (directions, rows, width), or (rows, words)
            begin[f"{STATE}{len(begin)}"] = (len(part), "rows", part.shape[-1])
        inputs |= begin
        if isinstance(body, RecurrentBackbone):
            x, after = recurrent(graph, body, list(begin))
        else:
            x, after = window(graph, body, *begin)
        ends = {f"{name}{AFTER}": (value, begin[name]) for name, value in zip(begin, after, strict=True)}
    flat = graph.add("Reshape", x, graph.constant("flat_states", [-1, body.config.output_width]))
    scores = graph.add("LogSoftmax", _head(graph, body, head, flat), axis=-1)
    column = graph.add("Reshape", "targets", graph.constant("column", [-1, 1]))
    right = graph.add("GatherElements", scores, column, axis=1)
    outputs: dict[str, tuple[str, Axes]] = {
        "log_probs": (graph.add("Reshape", right, graph.shape()), TOKENS),
        "next": (
            graph.add("Gather", scores, graph.constant("last", -1), axis=0),
            (head.linear.out_features,),
        ),
    }
    return graph.build(inputs, {**outputs, **ends})


def _head(graph: Graph, body: Any, head: LanguageHead, states: str) -> str:
    """Scores of every word, by the table of word vectors itself where it is tied."""
    if head.scale != 1.0:
        states = graph.add("Mul", states, graph.number("head_scale", head.scale))
    tied = head.linear.weight is body.embedding.words.weight and not isinstance(body, WindowBackbone)
    table = "words" if tied else graph.weight("head_w", array(head.linear.weight))
    bias = () if head.linear.bias is None else (graph.weight("head_b", array(head.linear.bias)),)
    return graph.add("Gemm", states, table, *bias, name="head", transB=1)
