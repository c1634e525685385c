"""DistilBERT (`model_type` distilbert): BERT without segments and pooler, under names of its own."""

from __future__ import annotations

from gradatim.checkpoint import encoder
from gradatim.checkpoint.family import Architecture, Family
from gradatim.checkpoint.rules import Names
from gradatim.checkpoint.setting import ACTIVATIONS, Setting
from gradatim.models.presets import distilbert

# Positions are stored and trained like any others, also where sinusoidal_pos_embds says how they began.
SETTINGS = (
    Setting("vocab_size", "embedding.vocab_size"),
    Setting("n_layers", "num_layers"),
    Setting("dim", "embedding.width block.width"),
    Setting("n_heads", "block.num_heads"),
    Setting("hidden_dim", "block.ffn_width"),
    Setting("max_position_embeddings", "embedding.max_length"),
    Setting("activation", "block.activation", default="gelu", values=ACTIVATIONS),
    Setting("dropout", "embedding.dropout block.dropout", default=0.1, form="real"),
    Setting("attention_dropout", "block.attention_dropout", default=0.1, form="real"),
)
ACTIVATION = Setting("activation", "activation", default="gelu", values=ACTIVATIONS)
BODY_DROPOUT = Setting("dropout", "dropout", default=None, form="real")
OWN_DROPOUT = Setting("seq_classif_dropout", "dropout", default=None, form="real")
LAYER: dict[str, Names] = {
    "attention.qkv": ("attention.q_lin", "attention.k_lin", "attention.v_lin"),
    "attention.out": "attention.out_lin",
    "attention_norm": "sa_layer_norm",
    "ffn.up": "ffn.lin1",
    "ffn.down": "ffn.lin2",
    "ffn_norm": "output_layer_norm",
}
MASKED = encoder.masked_head(
    "distilbert.", "vocab_transform", "vocab_layer_norm", "vocab_projector", bias="vocab_projector.bias"
)
ROW = ("pre_classifier", "classifier")

FAMILY = Family(
    name="distilbert",
    preset=distilbert,
    settings=SETTINGS,
    only=encoder.ONLY,
    prefix="distilbert.",
    body=encoder.body("transformer.layer.{}.", LAYER),
    architectures=encoder.architectures(
        "DistilBert",
        masked=Architecture(kind="masked", head=MASKED, settings=(ACTIVATION,)),
        row=ROW,
        choice=ROW,
        dropout=(BODY_DROPOUT, OWN_DROPOUT),
        inner="relu",
    ),
)
