"""A trained model that reads as an ONNX graph: padded ids and what is told of them in, logits or states out.

The graph is written with the operators that ONNX Runtime is to run, so what runs does not depend on a tracer
or on an optimiser recognising a pattern.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from gradatim.engine.artifact import write_artifact
from gradatim.engine.manifest import JSON
from gradatim.engine.names import AGGREGATION, ASKED
from gradatim.errors import ConfigError
from gradatim.export.calibration import rows_alone
from gradatim.export.elmo import elmo
from gradatim.export.encoder import activated, encoder, norm
from gradatim.export.graph import TOKENS, Axes, Graph, array
from gradatim.export.quantise import Quantiser
from gradatim.export.recurrent import layers, recurrent
from gradatim.export.vocabulary import marked, word_scores, word_vectors
from gradatim.models.backbone import Backbone
from gradatim.models.classifier import Classifier, GridReader, Tagger, WordVectors
from gradatim.models.elmo import ElmoBackbone
from gradatim.models.heads import MaskedHead, RowHead, TokenHead
from gradatim.models.language import LanguageModel
from gradatim.models.layers import READ, FrozenReader
from gradatim.models.recurrent import RecurrentBackbone
from gradatim.nn.pooling import Pooling
from gradatim.text.characters import LETTERS
from gradatim.types import CAPITALS, Encoded, Task


def to_onnx(model: nn.Module, *, segments: bool = False) -> bytes:
    """Export; `segments` adds the input that tells the two texts of a pair apart.

    A classifier gives `logits` (rows, labels), a tagger (rows, tokens, outputs), a model of masked words those of the
    places `asked` among all cells, (asked, vocabulary); a model of tables reads marks, and gives `logits`
    (rows, tokens, 2 or 3) and perhaps `aggregation` (rows, labels); a body by itself `states` (rows, tokens, width).
    """
    body: Any = model.body if isinstance(model, Classifier | Tagger | GridReader | LanguageModel) else model
    inner = body.body if isinstance(body, FrozenReader) else body
    told: list[str] = []
    if isinstance(inner, Backbone):
        told += ["segments"] * (segments and inner.config.embedding.num_segments > 0)
    if isinstance(inner, Backbone | RecurrentBackbone):
        told += [name for name in inner.config.marks if name == CAPITALS or isinstance(model, GridReader)]
    graph = Graph()
    states = _body(graph, body, told)
    ids: Axes = (*TOKENS, LETTERS) if isinstance(inner, ElmoBackbone) else TOKENS
    inputs: dict[str, Axes] = {"ids": ids, **dict.fromkeys(told, TOKENS), "lengths": ("rows",)}
    outputs: dict[str, tuple[str, Axes]]
    match model:
        case Classifier():
            pooled = [_pool(graph, states, how) for how in model.pooling]
            joined = pooled[0] if len(pooled) == 1 else graph.add("Concat", *pooled, axis=-1)
            outputs = {"logits": (_head(graph, joined, model.head), ("rows", model.head.linear.out_features))}
        case Tagger():
            outputs = {"logits": _tags(graph, states, model.head)}
        case GridReader():
            outputs = _cells(graph, states, model)
        case LanguageModel():
            inputs[ASKED] = (ASKED,)
            outputs = {"logits": _words(graph, states, model)}
        case _:
            outputs = {"states": (states, (*TOKENS, body.config.output_width))}
    return graph.build(inputs, outputs, long=(ASKED,))


def write_reader(
    path: Path,
    model: nn.Module,
    tokenizer: str,
    *,
    task: Task,
    settings: Mapping[str, JSON],
    provenance: Mapping[str, JSON],
    int8_on: Encoded | None = None,
) -> None:
    """Write a model as one file that runs without torch.

    `settings` are those of its encoder of word pieces, with `mask`, the token of a missing word, `cleans`, whether what
    is written loses the spaces before punctuation, and `either`, whether it reads pairs as well as texts; of a model of
    tables `marks`, how many values each has, and `grid`, how it answers. With texts
    `int8_on` products are in 8 bits, their steps found on these.
    """
    graph = to_onnx(model, segments=task.pairs or task.kind == "table" or bool(settings.get("either")))
    if int8_on is not None:
        calls = rows_alone(int8_on.arrays)
        graph = Quantiser(graph, [{**call, ASKED: np.arange(call["ids"].size)} for call in calls]).convert()
    write_artifact(
        path,
        kind="onnx",
        task=task,
        encoder=settings,
        members={"model.onnx": graph, "tokenizer.json": tokenizer.encode()},
        provenance=provenance,
    )


def _body(graph: Graph, body: nn.Module, told: Collection[str]) -> str:
    build = BODIES.get(type(body))
    if build is None:
        known = ", ".join(body.__name__ for body in BODIES)
        raise ConfigError(f"a {type(body).__name__} body cannot be exported; known: {known}")
    return build(graph, body, told)


def _vectors(graph: Graph, body: WordVectors, told: Collection[str]) -> str:
    return word_vectors(graph, body.words)


def _recurrent(graph: Graph, body: RecurrentBackbone, told: Collection[str]) -> str:
    return recurrent(graph, body, told=told)[0]


def _frozen(graph: Graph, body: FrozenReader, told: Collection[str]) -> str:
    """What a choice of layers says, and the BiLSTM that reads it."""
    hidden: list[str] = []
    match body.body:
        case Backbone():
            encoder(graph, body.body, told, hidden)
        case ElmoBackbone():
            hidden = elmo(graph, body.body)
        case other:
            raise ConfigError(f"of a {type(other).__name__} no single layers can be exported")
    states = _layers(graph, body, hidden)
    for name, table in body.marks.items():
        states = marked(graph, states, name, array(table.weight))
    return states if body.recurrent is None else layers(graph, body.recurrent, states)[0]


def _elmo(graph: Graph, body: ElmoBackbone, told: Collection[str]) -> str:
    return elmo(graph, body)[-1]


BODIES: dict[type[nn.Module], Callable[[Graph, Any, Collection[str]], str]] = {
    Backbone: encoder,
    WordVectors: _vectors,
    RecurrentBackbone: _recurrent,
    ElmoBackbone: _elmo,
    FrozenReader: _frozen,
}


def _layers(graph: Graph, body: FrozenReader, hidden: Sequence[str]) -> str:
    read, join = READ[body.layers]
    parts = list(hidden[read])
    if body.mix is not None:
        shares = (body.mix.gamma * body.mix.scores.softmax(0)).tolist()
        parts = [
            graph.add("Mul", x, graph.number("share", share)) for x, share in zip(parts, shares, strict=True)
        ]
    if join == "concatenation":
        return graph.add("Concat", *parts, axis=-1)
    return graph.add("Sum", *parts) if len(parts) > 1 else parts[0]


def _tags(graph: Graph, states: str, head: TokenHead) -> tuple[str, Axes]:
    linear = head.linear
    flat = graph.add("Reshape", states, graph.constant("flat_states", [-1, linear.in_features]))
    logits = graph.add("Reshape", graph.linear("head", flat, linear), graph.grid(linear.out_features))
    return logits, (*TOKENS, linear.out_features)


def _cells(graph: Graph, states: str, model: GridReader) -> dict[str, tuple[str, Axes]]:
    """Scores of cells and columns, and those of aggregations."""
    logits, axes = _tags(graph, states, model.head)
    divisor = graph.weight("temperatures", np.array(model.config.divisors, np.float32))
    outputs: dict[str, tuple[str, Axes]] = {"logits": (graph.add("Div", logits, divisor), axes)}
    if (head := model.aggregation) is not None:
        scores = _head(graph, _pool(graph, states, "first"), head, "aggregation_head")
        outputs[AGGREGATION] = (scores, ("rows", head.linear.out_features))
    return outputs


def _words(graph: Graph, states: str, model: LanguageModel) -> tuple[str, Axes]:
    """Scores of the vocabulary at the places asked for."""
    head = model.head
    if not isinstance(head, MaskedHead):
        raise ConfigError(
            "only a model of masked words is read so; one of next words is `gradatim lm convert`"
        )
    flat = graph.add("Reshape", states, graph.constant("flat_states", [-1, head.linear.in_features]))
    x = graph.linear("masked", graph.add("Gather", flat, ASKED), head.linear)
    x = norm(graph, "masked_norm", activated(graph, x, head.activation), head.norm)
    body: Any = model.body
    return word_scores(graph, x, head.words, body.embedding.words), (ASKED, head.output.out_features)


def _pool(graph: Graph, states: str, how: Pooling) -> str:
    """(rows, tokens, width) to (rows, width); padding takes no part."""
    if how == "first":
        return graph.add("Gather", states, graph.constant("first", 0), axis=1)
    one, steps = graph.constant("one", [1]), graph.steps()
    lengths = graph.add("Unsqueeze", graph.add("Cast", "lengths", to=7), one)
    if how == "last":
        return graph.add("GatherND", states, graph.add("Sub", lengths, one), batch_dims=1)
    inside = graph.add("Less", steps, lengths)  # (rows, tokens)
    if how == "mean":
        share = graph.add("Div", graph.add("Cast", inside, to=1), graph.add("Cast", lengths, to=1))
        mixed = graph.add("MatMul", graph.add("Unsqueeze", share, one), states, name="mean")
        return graph.add("Squeeze", mixed, one)
    cells = graph.add("Unsqueeze", inside, graph.constant("two", [2]))
    lowest = graph.weight("lowest", np.array(np.finfo(np.float32).min, np.float32))
    return graph.add("ReduceMax", graph.add("Where", cells, states, lowest), one, keepdims=0)


def _head(graph: Graph, pooled: str, head: RowHead, name: str = "head") -> str:
    if head.inner is not None and head.activation is not None:
        pooled = activated(graph, graph.linear("pooler", pooled, head.inner), head.activation)
    return graph.linear(name, pooled, head.linear)
