"""RoBERTa (`model_type` roberta): BERT whose positions begin behind the padding token's id."""

from __future__ import annotations

from gradatim.checkpoint import encoder
from gradatim.checkpoint.bert import BODY
from gradatim.checkpoint.family import Architecture, Family
from gradatim.checkpoint.setting import Setting
from gradatim.models.presets import roberta

FIRST = Setting(
    "pad_token_id",
    "embedding.first_position",
    default=1,
    read=lambda pad, fields: pad + 1,
    write=lambda first, body: first - 1,
)
LENGTH = Setting(  # the table is longer than a text
    "max_position_embeddings",
    "embedding.max_length",
    read=lambda rows, fields: rows - fields["pad_token_id"] - 1,
    write=lambda length, body: length + body["embedding"]["first_position"],
)


def masked(prefix: str) -> Architecture:
    """The masked-word model, which MPNet has too; its activation is gelu whatever the body's is."""
    names = {"dense": "lm_head.dense", "norm": "lm_head.layer_norm", "decoder": "lm_head.decoder"}
    head = encoder.masked_head(prefix, **names, bias="lm_head.bias")
    return Architecture(kind="masked", head=head, settings=(encoder.NORM_EPS,))


ROW = ("classifier.dense", "classifier.out_proj")

FAMILY = Family(
    name="roberta",
    preset=roberta,
    settings=(*encoder.SETTINGS, encoder.SEGMENTS, FIRST, LENGTH),
    only=encoder.ONLY,
    prefix="roberta.",
    body=BODY,
    architectures=encoder.architectures(
        "Roberta",
        masked=masked("roberta."),
        row=ROW,
        choice=("roberta.pooler.dense", "classifier"),
    ),
)
