"""BERT checkpoints of the Hugging Face layout: configuration fields and tensor names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from gradatim.checkpoint.rules import Drop, Fuse, Rule, Same, repeat
from gradatim.errors import CheckpointError
from gradatim.models.backbone import BackboneConfig
from gradatim.models.presets import Sizes, bert

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
ACTIVATIONS = {"gelu": "gelu", "gelu_new": "gelu_tanh", "relu": "relu", "silu": "silu"}

LAYER = [
    Fuse(
        tuple(f"encoder.layer.{{}}.attention.self.{part}.{kind}" for part in ("query", "key", "value")),
        f"stack.blocks.{{}}.attention.qkv.{kind}",
    )
    for kind in ("weight", "bias")
] + [
    Same(f"encoder.layer.{{}}.{theirs}.{kind}", f"stack.blocks.{{}}.{ours}.{kind}")
    for theirs, ours in (
        ("attention.output.dense", "attention.out"),
        ("attention.output.LayerNorm", "attention_norm"),
        ("intermediate.dense", "ffn.up"),
        ("output.dense", "ffn.down"),
        ("output.LayerNorm", "ffn_norm"),
    )
    for kind in ("weight", "bias")
]


def read_config(fields: Mapping[str, Any]) -> BackboneConfig:
    """Our configuration from a `config.json`; refuses what this architecture cannot express."""
    if fields.get("model_type") != "bert":
        raise CheckpointError(
            f"config.json has model_type '{fields.get('model_type')}'; only 'bert' can be an encoder here"
        )
    if fields.get("position_embedding_type", "absolute") != "absolute":
        raise CheckpointError(
            f"position_embedding_type '{fields['position_embedding_type']}' is not supported; "
            "only 'absolute' is"
        )
    if fields.get("is_decoder", False):
        raise CheckpointError("config.json has is_decoder true; only a bidirectional BERT is an encoder here")
    missing = [
        name for name in (*SIZES, "type_vocab_size", "hidden_act", "layer_norm_eps") if name not in fields
    ]
    if missing:
        raise CheckpointError(f"config.json lacks {', '.join(missing)}")
    if fields["hidden_act"] not in ACTIVATIONS:
        raise CheckpointError(
            f"hidden_act '{fields['hidden_act']}' is not supported; known: {', '.join(ACTIVATIONS)}"
        )
    return bert(
        Sizes(**{ours: fields[theirs] for theirs, ours in SIZES.items()}),
        num_segments=fields["type_vocab_size"],
        activation=ACTIVATIONS[fields["hidden_act"]],
        norm_eps=fields["layer_norm_eps"],
    )


def write_config(config: BackboneConfig) -> dict[str, Any]:
    """The `config.json` that `from_pretrained` opens."""
    back = {ours_name: theirs for theirs, ours_name in ACTIVATIONS.items()}
    sizes = {**asdict(config.embedding), **asdict(config.block), "num_layers": config.num_layers}
    return {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "position_embedding_type": "absolute",
        "pad_token_id": 0,
        **{theirs: sizes[ours] for theirs, ours in SIZES.items()},
        "type_vocab_size": config.embedding.num_segments,
        "hidden_act": back[config.block.activation],
        "layer_norm_eps": config.block.norm_eps,
    }


def rules(config: BackboneConfig) -> list[Rule]:
    """The name table of a bare BERT; its pooler and pretraining heads are dropped."""
    return [
        Same("embeddings.word_embeddings.weight", "embedding.words.weight"),
        Same("embeddings.position_embeddings.weight", "embedding.positions.weight"),
        Same("embeddings.token_type_embeddings.weight", "embedding.segments.weight"),
        Same("embeddings.LayerNorm.weight", "embedding.norm.weight"),
        Same("embeddings.LayerNorm.bias", "embedding.norm.bias"),
        *repeat(LAYER, config.num_layers),
        Drop("embeddings.position_ids"),
        Drop("pooler.*"),
        Drop("cls.*"),
        Drop("classifier.*"),
        Drop("qa_outputs.*"),
    ]
