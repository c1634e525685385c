"""A trained causal model as an ONNX graph that scores next tokens, and carries on from what it has read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gradatim.engine.artifact import write_artifact
from gradatim.engine.language import ROWS, TARGETS
from gradatim.engine.manifest import JSON
from gradatim.engine.names import AFTER, ASKED, COUNT, STATE, VOCABULARY
from gradatim.errors import ConfigError
from gradatim.export.causal import causal, past_of
from gradatim.export.graph import TOKENS, Axes, Graph
from gradatim.export.recurrent import recurrent, window
from gradatim.export.vocabulary import best, word_scores
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
        task=Task((), kind="causal"),
        encoder={"kind": "tokens", "end": end, "longest": model.body.config.longest},
        members={"model.onnx": to_onnx(model), "tokenizer.json": tokenizer.encode()},
        provenance=provenance,
    )


def to_onnx(model: LanguageModel) -> bytes:
    """Export: `ids` (rows, tokens), `lengths` (rows,) and states in, states out.

    At the places `asked`, of the rows laid end to end: `log_probs` (asked,) of the `targets` that follow there, and the
    `count` likeliest tokens, `best` and their `scores` (asked, count), with the `norm` (asked, 1) of scores.
    """
    body: Any = model.body
    head = model.head
    if not isinstance(head, LanguageHead) or not body.config.causal:
        raise ConfigError(
            "a language model that reads both ways cannot be exported: it predicts no next token"
        )
    graph = Graph()
    states = {f"{STATE}{number}": axes for number, axes in enumerate(_states(body))}
    if isinstance(body, Backbone):
        x, after = causal(graph, body, list(states))
    elif isinstance(body, RecurrentBackbone):
        x, after = recurrent(graph, body, list(states))
    else:
        x, after = window(graph, body, *states)
    flat = graph.add("Reshape", x, graph.constant("flat_states", [-1, body.config.output_width]))
    words = None if isinstance(body, WindowBackbone) else body.embedding.words
    logits = word_scores(graph, graph.add("Gather", flat, ASKED), head, words)
    log_probs = graph.add("LogSoftmax", logits, axis=-1)
    column = graph.add("Reshape", TARGETS, graph.constant("column", [-1, 1]))
    right = graph.add(
        "Squeeze", graph.add("GatherElements", log_probs, column, axis=1), graph.constant("last", [1])
    )
    outputs: dict[str, tuple[str, Axes]] = {"log_probs": (right, (ASKED,))}
    outputs |= {f"{name}{AFTER}": (end, states[name]) for name, end in zip(states, after, strict=True)}
    return graph.build(
        {"ids": TOKENS, "lengths": (ROWS,), ASKED: (ASKED,), TARGETS: (ASKED,), COUNT: (1,), **states},
        best(graph, logits, log_probs, ASKED) | outputs,
        long=(ASKED, TARGETS, COUNT, "best"),
        facts={VOCABULARY: str(head.linear.out_features)},
    )


def _states(body: Any) -> list[Axes]:
    """The sizes of what is carried from call to call."""
    if isinstance(body, Backbone):
        return past_of(body)
    parts = body.begin(1).tensors  # (directions, rows, width), or (rows, words)
    return [(len(part), ROWS, part.shape[-1]) for part in parts]
