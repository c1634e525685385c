"""What encoders of BERT's line share: sizes, tables of embedding and block, and the classes with heads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gradatim.checkpoint.config import Kind
from gradatim.checkpoint.family import BARE, Architecture, Fields, Settings, always
from gradatim.checkpoint.rules import Drop, Rule, Same, Tied, fused, linear
from gradatim.errors import CheckpointError
from gradatim.models.backbone import BackboneConfig

SIZES = {  # theirs -> ours
    "vocab_size": "vocab_size",
    "num_hidden_layers": "num_layers",
    "hidden_size": "width",
    "num_attention_heads": "num_heads",
    "intermediate_size": "ffn_width",
    "max_position_embeddings": "max_length",
    "hidden_dropout_prob": "dropout",
    "attention_probs_dropout_prob": "attention_dropout",
}
DEFAULTS = {
    "hidden_act": "gelu", "layer_norm_eps": 1e-12, "type_vocab_size": 2,
    "hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1,
}  # fmt: skip
ONLY = {
    "position_embedding_type": ("absolute",),
    "is_decoder": (False,),
    "add_cross_attention": (False,),
    "tie_word_embeddings": (True,),
}
EMBEDDING: list[Rule] = [
    Same("embeddings.word_embeddings.weight", "embedding.words.weight"),
    Same("embeddings.position_embeddings.weight", "embedding.positions.weight"),
    *linear("embeddings.LayerNorm", "embedding.norm"),
    Drop("embeddings.position_ids"),
    Drop("pooler.*"),
]
SEGMENTS = Same("embeddings.token_type_embeddings.weight", "embedding.segments.weight")


def block(
    stem: str, *, qkv: Sequence[str], out: str, norm: str, up: str, down: str, ffn_norm: str
) -> list[Rule]:
    """The table of a post-norm encoder block, from the names that a family gives its parts."""
    parts = {
        out: "attention.out", norm: "attention_norm", up: "ffn.up", down: "ffn.down", ffn_norm: "ffn_norm"
    }  # fmt: skip
    rules = fused([stem + name for name in qkv], "stack.blocks.{}.attention.qkv")
    for theirs, ours in parts.items():
        rules += linear(stem + theirs, f"stack.blocks.{{}}.{ours}")
    return rules


def masked_head(dense: str, norm: str, bias: str, decoder: str, words: str) -> list[Rule]:
    """The masked-word head, its output matrix and bias stored twice or not."""
    own_bias = [Tied(f"{decoder}.bias", bias)] if bias != f"{decoder}.bias" else []
    return [
        *linear(dense, "head.linear"),
        *linear(norm, "head.norm"),
        Same(bias, "head.words.linear.bias"),
        Tied(f"{decoder}.weight", words),
        *own_bias,
    ]


def row_head(inner: str, outer: str, ours: str = "head") -> list[Rule]:
    """A linear layer with an activation, and the one that gives the logits."""
    return [*linear(inner, f"{ours}.inner"), *linear(outer, f"{ours}.linear")]


def architectures(
    stem: str,
    prefix: str,
    *,
    masked: list[Rule],
    row: tuple[str, str],
    choice: tuple[str, str],
    masked_settings: Settings,
    inner: str = "tanh",
    dropout: str | None = None,
) -> dict[str, Architecture]:
    """The classes that every encoder has: bare, masked words, rows, choices, tags, spans."""

    def row_settings(fields: Fields, body: BackboneConfig) -> dict[str, Any]:
        return {"inner": inner, **token_settings(fields, body)}

    def token_settings(fields: Fields, body: BackboneConfig) -> dict[str, Any]:
        stated = fields.get(dropout) if dropout else None
        return {"dropout": body.block.dropout if stated is None else stated}

    def one(kind: Kind, head: list[Rule], settings: Settings) -> Architecture:
        return Architecture(kind=kind, prefix=prefix, head=always(head), settings=settings)

    return {
        f"{stem}Model": BARE,
        f"{stem}ForMaskedLM": one("masked", masked, masked_settings),
        f"{stem}ForSequenceClassification": one("classification", row_head(*row), row_settings),
        f"{stem}ForMultipleChoice": one("choice", row_head(*choice), row_settings),
        f"{stem}ForTokenClassification": one("tagging", linear("classifier", "head.linear"), token_settings),
        f"{stem}ForQuestionAnswering": one("span", linear("qa_outputs", "head.linear"), token_settings),
    }


def segments(fields: Fields) -> int:
    """How many segment vectors there are; the reference cannot run without one."""
    if (count := fields["type_vocab_size"]) < 1:
        raise CheckpointError(f"type_vocab_size must be at least 1, not {count}")
    return int(count)
