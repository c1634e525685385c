"""TAPAS (`model_type` tapas): BERT with the marks of tables, and what reads them."""

from __future__ import annotations

from dataclasses import asdict

from gradatim.checkpoint import bert, encoder
from gradatim.checkpoint.config import ModelConfig
from gradatim.checkpoint.family import BARE, Architecture, Family
from gradatim.checkpoint.rules import Rule, Same, Stack, layers
from gradatim.checkpoint.setting import Setting
from gradatim.models.presets import tapas
from gradatim.text.grids import CELL, SIZES, GridConfig
from gradatim.types import MARKS

VECTORS = [
    Same(f"embeddings.token_type_embeddings_{place}.weight", f"embedding.{table}.weight")
    for place, table in enumerate(("segments", *(f"marks.{name}" for name in MARKS)))
]
CELLS = [
    Stack((f"output_{kind}", f"column_output_{kind}"), f"head.linear.{ours}")
    for kind, ours in (("weights", "weight"), ("bias", "bias"))
]
AGGREGATION = layers(
    {"aggregation.inner": "tapas.pooler.dense", "aggregation.linear": "aggregation_classifier"}
)


def _flag(theirs: str, ours: str, default: bool) -> Setting:
    return Setting(theirs, ours, default=default, form="flag")


def _head(config: ModelConfig) -> list[Rule]:
    return [*CELLS, *(AGGREGATION if config.num_outputs else [])]


FAMILY = Family(
    name="tapas",
    preset=tapas,
    settings=(
        *encoder.SETTINGS,
        Setting(
            "type_vocab_sizes", " ".join(["embedding.num_segments", *(f"embedding.marks.{name}" for name in MARKS)]),
            default=(3, *SIZES.values()), least=1, form="numbers",
        ),
        Setting(
            "reset_position_index_per_cell", "embedding.restart", default=True, form="flag",
            read=lambda value, fields: CELL if value else 0, write=lambda value, record: bool(value),
        ),
    ),
    only=encoder.ONLY,
    prefix="tapas.",
    body=encoder.body("encoder.layer.{}.", bert.LAYER, *VECTORS),
    architectures={
        "TapasModel": BARE,
        "TapasForQuestionAnswering": Architecture(
            kind="table",
            head=_head,
            settings=(
                encoder.BODY_DROPOUT,
                Setting("num_aggregation_labels", "num_outputs", default=0),
                Setting("aggregation_labels", "labels", default=None, form="names"),
                Setting("temperature", "grid.temperature", default=1.0, form="real"),
                _flag("select_one_column", "grid.one_column", True),
                _flag("allow_empty_column_selection", "grid.no_column", False),
                _flag("average_logits_per_cell", "grid.whole_cells", False),
                Setting("max_num_rows", "grid.max_rows", default=64, least=2),
                Setting("max_num_columns", "grid.max_columns", default=32, least=2),
                Setting("no_aggregation_label_index", "grid.plain", default=None),
            ),
            fixed={"grid": asdict(GridConfig())},
        ),
    },
)  # fmt: skip
