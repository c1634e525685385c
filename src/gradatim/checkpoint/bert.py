"""BERT checkpoints of the Hugging Face layout: configuration fields and tensor names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gradatim.checkpoint.rules import Drop, Fuse, Rule, Same, repeat
from gradatim.errors import CheckpointError
from gradatim.models.bert import BertConfig

FIELDS = {  # theirs -> ours
    "vocab_size": "vocab_size",
    "num_hidden_layers": "num_layers",
    "hidden_size": "width",
    "num_attention_heads": "num_heads",
    "intermediate_size": "ffn_width",
    "max_position_embeddings": "max_length",
    "type_vocab_size": "num_segments",
    "hidden_act": "activation",
    "layer_norm_eps": "norm_eps",
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


def read_config(fields: Mapping[str, Any]) -> BertConfig:
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
    missing = [name for name in FIELDS if name not in fields]
    if missing:
        raise CheckpointError(f"config.json lacks {', '.join(missing)}")
    ours = {ours: fields[theirs] for theirs, ours in FIELDS.items()}
    if ours["activation"] not in ACTIVATIONS:
        raise CheckpointError(
            f"hidden_act '{ours['activation']}' is not supported; known: {', '.join(ACTIVATIONS)}"
        )
    return BertConfig(**{**ours, "activation": ACTIVATIONS[ours["activation"]]})


def write_config(config: BertConfig) -> dict[str, Any]:
    """The `config.json` that `from_pretrained` opens."""
    ours = config.to_dict()
    back = {ours_name: theirs for theirs, ours_name in ACTIVATIONS.items()}
    fields = {theirs: ours[name] for theirs, name in FIELDS.items()}
    return {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "position_embedding_type": "absolute",
        "pad_token_id": 0,
        **fields,
        "hidden_act": back[config.activation],
    }


def rules(config: BertConfig) -> list[Rule]:
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
