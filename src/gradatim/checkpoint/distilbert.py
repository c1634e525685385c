"""DistilBERT (`model_type` distilbert): BERT without segments and pooler, under names of its own."""

from __future__ import annotations

from typing import Any

from gradatim.checkpoint.config import ModelConfig
from gradatim.checkpoint.encoder import EMBEDDING, ONLY, architectures, block, masked_head
from gradatim.checkpoint.family import ACTIVATIONS, Family, Fields, read_sizes
from gradatim.checkpoint.rules import Rule, repeat
from gradatim.models.backbone import BackboneConfig
from gradatim.models.presets import distilbert

SIZES = {
    "vocab_size": "vocab_size",
    "n_layers": "num_layers",
    "dim": "width",
    "n_heads": "num_heads",
    "hidden_dim": "ffn_width",
    "max_position_embeddings": "max_length",
    "dropout": "dropout",
    "attention_dropout": "attention_dropout",
}
LAYER = block(
    "transformer.layer.{}.",
    qkv=("attention.q_lin", "attention.k_lin", "attention.v_lin"),
    out="attention.out_lin",
    norm="sa_layer_norm",
    up="ffn.lin1",
    down="ffn.lin2",
    ffn_norm="output_layer_norm",
)


def _read(fields: Fields) -> BackboneConfig:
    # Positions are stored and trained like any others, also where sinusoidal_pos_embds says how they began.
    return distilbert(read_sizes(fields, SIZES), activation=ACTIVATIONS[fields["activation"]])


def _write(config: ModelConfig) -> dict[str, Any]:
    return {"seq_classif_dropout": config.dropout}


def _body(config: ModelConfig) -> list[Rule]:
    return [*EMBEDDING, *repeat(LAYER, config.body.num_layers)]


_ROW = ("pre_classifier", "classifier")
FAMILY = Family(
    name="distilbert",
    prefix="distilbert.",
    sizes=SIZES,
    defaults={"activation": "gelu", "dropout": 0.1, "attention_dropout": 0.1},
    only=ONLY,
    activation="activation",
    read=_read,
    write=_write,
    body=_body,
    architectures=architectures(
        "DistilBert",
        "distilbert.",
        masked=masked_head(
            "vocab_transform",
            "vocab_layer_norm",
            "vocab_projector.bias",
            "vocab_projector",
            "distilbert.embeddings.word_embeddings.weight",
        ),
        row=_ROW,
        choice=_ROW,
        masked_settings=lambda fields, body: {"activation": body.block.activation},
        inner="relu",
        dropout="seq_classif_dropout",
    ),
)
