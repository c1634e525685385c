"""A trained encoder-decoder as two ONNX graphs: one reads sources, the other writes a token more for every row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from gradatim.decode.search import Search
from gradatim.decode.write import write
from gradatim.engine.artifact import write_artifact
from gradatim.engine.manifest import JSON
from gradatim.engine.names import COUNT, READ, VOCABULARY
from gradatim.engine.pair import GraphPair
from gradatim.engine.stepper import BEAMS, MEMORY, PAST, PRESENT, WIDTH, WRITTEN, Call, OnnxStepper
from gradatim.errors import ConfigError
from gradatim.export import attentive
from gradatim.export.calibration import rows_alone
from gradatim.export.encoder import (
    encoder,
    feed_forward,
    lookup,
    norm,
    scale,
)
from gradatim.export.graph import TOKENS, Axes, Graph
from gradatim.export.positions import Turn, bias_of_written, rotation, windowed
from gradatim.export.quantise import LOOKUP, Quantiser
from gradatim.export.shared import members
from gradatim.export.vocabulary import best, word_scores
from gradatim.models.attentive import RecurrentSeq2Seq
from gradatim.models.backbone import Backbone
from gradatim.models.language import EncoderDecoder, Seq2Seq
from gradatim.nn.block import Block
from gradatim.nn.multihead import Attention
from gradatim.text.pieces import PieceEncoder
from gradatim.types import Arrays, Task

KIND = "text2text-onnx"
PLAIN = 1.2  # how much more a product may vary that saves scaling its channels
TOGETHER, EVERY = 8, 2  # sources written together while ranges are found, and steps of which one is looked at


def write_text_to_text(
    path: Path,
    model: EncoderDecoder,
    tokenizer: str,
    *,
    settings: Mapping[str, JSON],
    provenance: Mapping[str, JSON],
    beams: int = 4,
    int8_on: Sequence[str] | None = None,
) -> None:
    """Write a model as one file that runs without torch.

    `settings` are what `pipelines.text_to_text` needs: `max_length` of a source, `start`, `end` and `longest` of what
    is written, `prefix`; `beams` is how many texts it keeps side by side unless told otherwise. With texts `int8_on`
    products are in 8 bits, their steps found on these.
    """
    encoder, decoder = graphs(model)
    if int8_on is not None:
        pieces = PieceEncoder(tokenizer, max_length=settings["max_length"])  # type: ignore[arg-type]
        sources = pieces.encode([f"{settings['prefix']}{text}" for text in int8_on]).arrays
        encoder, decoder = in_int8(encoder, decoder, sources, start=settings["start"], end=settings["end"])  # type: ignore[arg-type]
    write_artifact(
        path,
        kind=KIND,
        task=Task((), kind="seq2seq"),
        encoder={"kind": "text2text", **settings},
        members={**members(encoder, decoder), "tokenizer.json": tokenizer.encode()},
        decision={"beams": beams},
        provenance=provenance,
    )


def graphs(model: EncoderDecoder) -> tuple[bytes, bytes]:
    """What reads sources, and what writes; raises ConfigError for a model that has no graphs yet."""
    match model:
        case RecurrentSeq2Seq():
            return attentive.encoder_graph(model), attentive.decoder_graph(model)
        case Seq2Seq():
            return encoder_graph(model), decoder_graph(model)
    raise ConfigError("a convolutional encoder-decoder cannot become one file yet: use its folder")


def in_int8(encoder: bytes, decoder: bytes, sources: Arrays, *, start: int, end: int) -> tuple[bytes, bytes]:
    """Both graphs with products in 8 bits, and word vectors too; a recurrent layer finds its weights in 8 bits.

    Ranges are those of packed `sources` and of what is written from them, greedily.
    """
    pair = GraphPair(encoder, decoder)
    recorder = (attentive.Recorder if pair.carried else _Recorder)(pair, start=start)
    search = Search(end=end, max_length=int(1.5 * sources["lengths"].max()) + 4)
    for rows in np.array_split(np.arange(len(sources["lengths"])), -(-len(sources["lengths"]) // TOGETHER)):
        first, last = (int(sources["lengths"][:row].sum()) for row in (rows[0], rows[-1] + 1))
        write(recorder, {"ids": sources["ids"][first:last], "lengths": sources["lengths"][rows]}, search)
    texts = rows_alone({name: sources[name] for name in ("ids", "lengths")})
    small_encoder, small_decoder = (
        # 127 levels a word: what is written depends on every one of its steps
        Quantiser(graph, calls, exact=(attentive.VALUE,), plain=PLAIN).convert(
            {LOOKUP}, both=False, stored=True
        )
        for graph, calls in ((encoder, texts), (decoder, recorder.calls))
    )
    return small_encoder, small_decoder


class _Recorder(OnnxStepper):
    """Keeps what the decoder graph is called with."""

    def __init__(self, pair: GraphPair, *, start: int) -> None:
        super().__init__(pair, start=start)
        self.calls: list[Arrays] = []

    def run(self, call: Call) -> None:
        room = int(call.written[0]) + 1
        if call.written[0] % EVERY == 0:
            self.calls.append(
                {
                    name: (array[:, :, :room] if name == BEAMS or name.startswith(PAST) else array).copy()
                    for name, array in call.inputs.items()
                }
            )
        super().run(call)


def encoder_graph(model: Seq2Seq) -> bytes:
    """`ids` (rows, tokens) and `lengths` (rows,) in; keys and values of every layer's memory out, `state_memory_k0`
    and on, (rows, heads, tokens, head_width).
    """
    graph, width = Graph(), model.encoder.config.width
    states = encoder(graph, model.encoder)
    flat = graph.add("Reshape", states, graph.constant("flat", [-1, width]))
    outputs: dict[str, tuple[str, Axes]] = {}
    for i, block in enumerate(_blocks(model.decoder)):
        config = block.cross.config
        inner = config.num_heads * config.head_width
        both = graph.linear(f"memory{i}", flat, block.cross.kv)
        halves = graph.add_many("Split", 2, both, graph.constant("halves", [inner] * 2), axis=-1)
        for part, half in zip("kv", halves, strict=True):
            heads = graph.constant("heads", [config.num_heads, config.head_width])
            grid = graph.add("Reshape", half, graph.add("Concat", graph.shape(), heads, axis=0))
            by_head = graph.add("Transpose", grid, perm=[0, 2, 1, 3])
            outputs[f"{MEMORY}{part}{i}"] = (by_head, ("rows", config.num_heads, "tokens", config.head_width))
    return graph.build({"ids": TOKENS, "lengths": ("rows",)}, outputs)


def decoder_graph(model: Seq2Seq) -> bytes:
    """A step of `gradatim.engine.stepper.OnnxStepper`, which says what goes in and out.

    Rows are the beams of the sources, those of one source next to each other: they share its memory, and a past that
    lies still while `beams` says which row's key each of them has at every place.
    """
    body, head = model.decoder, model.head
    graph, config = Graph(), body.config.block
    heads, head_width = config.num_heads, config.head_width
    x = lookup(graph, body.embedding, lambda: WRITTEN)
    if body.config.embedding.norm:
        x = norm(graph, "embedding_norm", x, body.embedding.norm)
    length = graph.add("Cast", WRITTEN, to=7)
    bias, turn = _standing(graph, body, length)
    sources = graph.add("Cast", READ, to=7)
    by_source = graph.add(
        "Concat", graph.add("Shape", READ), graph.constant("each_beam", [-1, heads, head_width]), axis=0
    )
    inputs: dict[str, Axes] = {
        "ids": ("rows",), READ: ("sources",), WRITTEN: (1,), BEAMS: ("sources", "width", "room"),
        WIDTH: (1,), COUNT: (1,),
    }  # fmt: skip
    outputs: dict[str, tuple[str, Axes]] = {}
    for i, block in enumerate(_blocks(body)):
        past, memory = ([f"{kind}{part}{i}" for part in "kv"] for kind in (PAST, MEMORY))
        inputs |= dict.fromkeys(past, ("rows", heads, "room", head_width))
        inputs |= dict.fromkeys(memory, ("sources", heads, "source", head_width))
        x, present = _block(graph, f"block{i}", x, block, past, memory, bias, turn, sources, by_source)
        for part, name in zip("kv", present, strict=True):
            outputs[f"{PRESENT}{part}{i}"] = (name, ("rows", heads, "room", head_width))
    if body.config.final_norm:
        x = norm(graph, "final_norm", x, body.stack.norm)
    return graph.build(
        inputs,
        best(graph, word_scores(graph, x, head, body.embedding.words)) | outputs,
        long=(COUNT, "best"),
        facts={VOCABULARY: str(head.linear.out_features)},
    )


def _blocks(body: Backbone) -> list[Block]:
    return [block for block in body.stack.blocks if isinstance(block, Block)]


def _block(
    graph: Graph,
    name: str,
    x: str,
    block: Block,
    past: list[str],
    memory: list[str],
    bias: str,
    turn: Turn,
    sources: str,
    by_source: str,
) -> tuple[str, list[str]]:
    """post: x = norm(x + f(x))        pre: x = x + f(norm(x))"""
    present: list[str] = []
    for part, normed in (
        ("attention", block.attention_norm), ("cross", block.cross_norm), ("ffn", block.ffn_norm)
    ):  # fmt: skip
        read = norm(graph, f"{name}_{part}_norm", x, normed) if block.pre else x
        if part == "attention":
            y, present = _attention(graph, name, read, block.attention, past, bias, turn)
        elif part == "cross":
            y = _cross(graph, name, read, block.cross, memory, sources, by_source)
        else:
            y = feed_forward(graph, name, read, block.ffn, block.attention.config.activation)
        x = graph.add("Add", x, y)
        if not block.pre:
            x = norm(graph, f"{name}_{part}_norm", x, normed)
    return x, present


def _attention(
    graph: Graph, name: str, x: str, attention: Attention, past: list[str], bias: str, turn: Turn
) -> tuple[str, list[str]]:
    """To what the row has written; its key and value are written into the past, which is also what comes out."""
    config = attention.config
    inner = config.num_heads * config.head_width
    qkv = graph.linear(f"{name}_qkv", x, attention.qkv)
    rows = graph.add("Reshape", qkv, graph.constant("one_token", [-1, 1, 3 * inner]))
    q, k, v = turn(graph.add_many("Split", 3, rows, graph.constant("thirds", [inner] * 3), axis=-1))
    mixed, *present = graph.add_many(
        "DecoderMaskedMultiHeadAttention", 3, q, k, v, "", bias, *past, WRITTEN, WIDTH, BEAMS,
        contrib=True, num_heads=config.num_heads, past_present_share_buffer=1, **scale(config),
    )  # fmt: skip
    flat = graph.add("Reshape", mixed, graph.constant("flat_heads", [-1, inner]))
    return graph.linear(f"{name}_out", flat, attention.out), present


def _cross(
    graph: Graph, name: str, x: str, attention: Attention, memory: list[str], sources: str, by_source: str
) -> str:
    """To the source: the beams of a source are the queries of one attention to its memory."""
    config = attention.config
    q = graph.add("Reshape", graph.linear(f"{name}_cross_q", x, attention.q), by_source)
    q = graph.add("Transpose", q, perm=[0, 2, 1, 3])
    mixed = graph.add("Attention", q, *memory, "", "", "", sources, name=f"{name}_cross", **scale(config))
    back = graph.add("Transpose", mixed, perm=[0, 2, 1, 3])
    inner = config.num_heads * config.head_width
    flat = graph.add("Reshape", back, graph.constant("flat_heads", [-1, inner]))
    return graph.linear(f"{name}_cross_out", flat, attention.out)


def _standing(graph: Graph, body: Backbone, length: str) -> tuple[str, Turn]:
    """The bias of what was written before, if there is one, and how the next token is turned; `length` is the count."""
    config = body.config
    bias = ""
    if body.stack.bias is not None:
        bias = bias_of_written(graph, body.stack.bias, length, config.max_length)
    if config.block.window is not None:
        last = graph.add("Squeeze", length)
        end = graph.add("Add", last, graph.constant("next", 1))
        places = graph.add("Range", graph.constant("start", 0), end, graph.constant("step", 1))
        distance = graph.add(
            "Unsqueeze", graph.add("Sub", places, last), graph.constant("outermost", [0, 1, 2])
        )
        bias = windowed(graph, bias, distance, config.block.window)

    def here() -> str:
        rows = graph.add("Concat", graph.add("Shape", "ids"), graph.constant("single", [1]), axis=0)
        return graph.add("Expand", length, rows)

    return bias, rotation(graph, config, here)
