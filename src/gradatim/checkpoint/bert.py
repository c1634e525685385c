"""BERT (`model_type` bert)."""

from __future__ import annotations

from gradatim.checkpoint import encoder
from gradatim.checkpoint.family import Architecture, Family
from gradatim.checkpoint.rules import Drop, Names, layers
from gradatim.models.presets import bert

LAYER: dict[str, Names] = {
    "attention.qkv": ("attention.self.query", "attention.self.key", "attention.self.value"),
    "attention.out": "attention.output.dense",
    "attention_norm": "attention.output.LayerNorm",
    "ffn.up": "intermediate.dense",
    "ffn.down": "output.dense",
    "ffn_norm": "output.LayerNorm",
}
BODY = encoder.body("encoder.layer.{}.", LAYER, encoder.SEGMENT_VECTORS)
MASKED = encoder.masked_head(
    "bert.",
    dense="cls.predictions.transform.dense",
    norm="cls.predictions.transform.LayerNorm",
    decoder="cls.predictions.decoder",
    bias="cls.predictions.bias",
)
AS_BODY = (encoder.ACTIVATION, encoder.NORM_EPS)
DROPOUT = (encoder.BODY_DROPOUT, encoder.OWN_DROPOUT)
POOLER, ROW, RELATION = "bert.pooler.dense", "classifier", "cls.seq_relationship"
# The published BERT has both heads, and its config.json names the masked-word model.
MASKED_ALONE = [*MASKED, Drop(f"{RELATION}.*")]
RELATED = [*MASKED, *layers({"relation.inner": POOLER, "relation.linear": RELATION})]

FAMILY = Family(
    name="bert",
    preset=bert,
    settings=(*encoder.SETTINGS, encoder.SEGMENTS),
    only=encoder.ONLY,
    prefix="bert.",
    body=BODY,
    architectures={
        **encoder.architectures(
            "Bert",
            masked=Architecture(kind="masked", head=MASKED_ALONE, settings=AS_BODY),
            row=(POOLER, ROW),
            choice=(POOLER, ROW),
        ),
        "BertForPreTraining": Architecture(kind="pretraining", head=RELATED, settings=AS_BODY),
        "BertForNextSentencePrediction": encoder.row_head(
            "relation", (POOLER, RELATION), DROPOUT, num_outputs=2
        ),
    },
)
