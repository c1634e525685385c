"""MPNet (`model_type` mpnet): RoBERTa without segments, with a bias by distance."""

from __future__ import annotations

from typing import Any

from gradatim.checkpoint.config import ModelConfig
from gradatim.checkpoint.encoder import DEFAULTS, EMBEDDING, ONLY, SIZES, architectures, block
from gradatim.checkpoint.family import ACTIVATIONS, Family, Fields, read_sizes
from gradatim.checkpoint.roberta import tables
from gradatim.checkpoint.rules import Rule, Same, repeat
from gradatim.models.backbone import BackboneConfig
from gradatim.models.presets import mpnet

FIRST = 2  # the row of the position table where texts begin
LAYER = block(
    "encoder.layer.{}.",
    qkv=("attention.attn.q", "attention.attn.k", "attention.attn.v"),
    out="attention.attn.o",
    norm="attention.LayerNorm",
    up="intermediate.dense",
    down="output.dense",
    ffn_norm="output.LayerNorm",
)


def _read(fields: Fields) -> BackboneConfig:
    return mpnet(
        read_sizes(fields, SIZES, max_length=fields["max_position_embeddings"] - FIRST),
        buckets=fields["relative_attention_num_buckets"],
        activation=ACTIVATIONS[fields["hidden_act"]],
        norm_eps=fields["layer_norm_eps"],
    )


def _write(config: ModelConfig) -> dict[str, Any]:
    return {
        "max_position_embeddings": config.body.max_length + FIRST,
        "relative_attention_num_buckets": config.body.buckets,
        "layer_norm_eps": config.body.block.norm_eps,
        "pad_token_id": FIRST - 1,
    }


def _body(config: ModelConfig) -> list[Rule]:
    bias = Same("encoder.relative_attention_bias.weight", "stack.bias.table.weight")
    return [*EMBEDDING, bias, *repeat(LAYER, config.body.num_layers)]


FAMILY = Family(
    name="mpnet",
    prefix="mpnet.",
    sizes=SIZES,
    defaults={**DEFAULTS, "relative_attention_num_buckets": 32},
    # The reference counts distances in 32 buckets whatever its table holds.
    only={**ONLY, "relative_attention_num_buckets": (32,), "pad_token_id": (FIRST - 1,)},
    activation="hidden_act",
    read=_read,
    write=_write,
    body=_body,
    architectures=architectures(**tables("MPNet", "mpnet.")),
)
