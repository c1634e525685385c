"""BERT (`model_type` bert)."""

from __future__ import annotations

from typing import Any

from gradatim.checkpoint.config import ModelConfig
from gradatim.checkpoint.encoder import (
    DEFAULTS,
    EMBEDDING,
    ONLY,
    SEGMENTS,
    SIZES,
    architectures,
    block,
    masked_head,
    row_head,
    segments,
)
from gradatim.checkpoint.family import ACTIVATIONS, Architecture, Family, Fields, always, read_sizes
from gradatim.checkpoint.rules import Drop, Rule, repeat
from gradatim.models.backbone import BackboneConfig
from gradatim.models.presets import bert

LAYER = block(
    "encoder.layer.{}.",
    qkv=("attention.self.query", "attention.self.key", "attention.self.value"),
    out="attention.output.dense",
    norm="attention.output.LayerNorm",
    up="intermediate.dense",
    down="output.dense",
    ffn_norm="output.LayerNorm",
)


def as_the_body(fields: Fields, body: BackboneConfig) -> dict[str, Any]:
    """A masked-word head with the body's activation and norm."""
    return {"activation": body.block.activation, "norm_eps": body.block.norm_eps}


def _read(fields: Fields) -> BackboneConfig:
    return bert(
        read_sizes(fields, SIZES),
        num_segments=segments(fields),
        activation=ACTIVATIONS[fields["hidden_act"]],
        norm_eps=fields["layer_norm_eps"],
    )


def write(config: ModelConfig) -> dict[str, Any]:
    return {
        "position_embedding_type": "absolute",
        "type_vocab_size": config.body.embedding.num_segments,
        "layer_norm_eps": config.body.block.norm_eps,
        "classifier_dropout": config.dropout,
    }


def body(config: ModelConfig) -> list[Rule]:
    return [*EMBEDDING, SEGMENTS, *repeat(LAYER, config.body.num_layers)]


_POOLED = ("bert.pooler.dense", "classifier")
_MASKED = [
    *masked_head(
        "cls.predictions.transform.dense",
        "cls.predictions.transform.LayerNorm",
        "cls.predictions.bias",
        "cls.predictions.decoder",
        "bert.embeddings.word_embeddings.weight",
    ),
    Drop("cls.seq_relationship.*"),  # in the published BERT, whose config.json names the masked-word model
]
_ENCODERS = architectures(
    "Bert", "bert.", masked=_MASKED, row=_POOLED, choice=_POOLED, masked_settings=as_the_body,
    dropout="classifier_dropout",
)  # fmt: skip
_RELATED = ("bert.pooler.dense", "cls.seq_relationship")

FAMILY = Family(
    name="bert",
    prefix="bert.",
    sizes=SIZES,
    defaults=DEFAULTS,
    only=ONLY,
    activation="hidden_act",
    read=_read,
    write=write,
    body=body,
    architectures={
        **_ENCODERS,
        "BertForPreTraining": Architecture(
            kind="pretraining",
            prefix="bert.",
            head=always([*_MASKED, *row_head(*_RELATED, "relation")]),
            settings=as_the_body,
        ),
        "BertForNextSentencePrediction": Architecture(
            kind="relation",
            prefix="bert.",
            head=always(row_head(*_RELATED)),
            settings=_ENCODERS["BertForSequenceClassification"].settings,
        ),
    },
)
