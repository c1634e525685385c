"""MPNet (`model_type` mpnet): RoBERTa without segments, with a bias by distance."""

from __future__ import annotations

from gradatim.checkpoint import encoder
from gradatim.checkpoint.family import Family
from gradatim.checkpoint.roberta import FIRST, LENGTH, ROW, masked
from gradatim.checkpoint.rules import Names, Same
from gradatim.models.presets import mpnet

LAYER: dict[str, Names] = {
    "attention.qkv": ("attention.attn.q", "attention.attn.k", "attention.attn.v"),
    "attention.out": "attention.attn.o",
    "attention_norm": "attention.LayerNorm",
    "ffn.up": "intermediate.dense",
    "ffn.down": "output.dense",
    "ffn_norm": "output.LayerNorm",
}
BIAS = Same("encoder.relative_attention_bias.weight", "stack.bias.table.weight")

FAMILY = Family(
    name="mpnet",
    preset=mpnet,
    settings=(*encoder.SETTINGS, FIRST, LENGTH),
    # The reference counts distances in 32 buckets and positions from 2, whatever is stored.
    only={**encoder.ONLY, "relative_attention_num_buckets": 32, "pad_token_id": 1},
    prefix="mpnet.",
    body=encoder.body("encoder.layer.{}.", LAYER, BIAS),
    architectures=encoder.architectures(
        "MPNet",
        masked=masked("mpnet."),
        row=ROW,
        choice=("mpnet.pooler.dense", "classifier"),
        dropout=(encoder.BODY_DROPOUT,),
    ),
)
