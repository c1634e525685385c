"""RoBERTa (`model_type` roberta): BERT with shifted positions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gradatim.checkpoint.bert import body, write
from gradatim.checkpoint.config import ModelConfig
from gradatim.checkpoint.encoder import DEFAULTS, ONLY, SIZES, architectures, masked_head, segments
from gradatim.checkpoint.family import ACTIVATIONS, Family, Fields, read_sizes
from gradatim.models.backbone import BackboneConfig
from gradatim.models.presets import roberta


def _read(fields: Fields) -> BackboneConfig:
    """Positions begin behind the padding token's id, so the table is that much longer than a text."""
    first = fields["pad_token_id"] + 1
    built = roberta(
        read_sizes(fields, SIZES, max_length=fields["max_position_embeddings"] - first),
        activation=ACTIVATIONS[fields["hidden_act"]],
        norm_eps=fields["layer_norm_eps"],
    )
    embedding = replace(built.embedding, first_position=first, num_segments=segments(fields))
    return replace(built, embedding=embedding)


def _write(config: ModelConfig) -> dict[str, Any]:
    embedding = config.body.embedding
    return {
        **write(config),
        "pad_token_id": embedding.first_position - 1,
        "max_position_embeddings": embedding.max_length + embedding.first_position,
    }


def tables(stem: str, prefix: str, **settings: Any) -> dict[str, Any]:
    """The heads of RoBERTa's pattern, which MPNet has too: a classifier of its own, a pooler for choices."""
    return {
        "stem": stem,
        "prefix": prefix,
        "masked": masked_head(
            "lm_head.dense",
            "lm_head.layer_norm",
            "lm_head.bias",
            "lm_head.decoder",
            f"{prefix}embeddings.word_embeddings.weight",
        ),
        "row": ("classifier.dense", "classifier.out_proj"),
        "choice": (f"{prefix}pooler.dense", "classifier"),
        "masked_settings": lambda fields, body: {"norm_eps": body.block.norm_eps},
        **settings,
    }


FAMILY = Family(
    name="roberta",
    prefix="roberta.",
    sizes=SIZES,
    defaults={**DEFAULTS, "pad_token_id": 1},
    only=ONLY,
    activation="hidden_act",
    read=_read,
    write=_write,
    body=body,
    architectures=architectures(**tables("Roberta", "roberta.", dropout="classifier_dropout")),
)
