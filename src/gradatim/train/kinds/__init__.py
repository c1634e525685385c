"""The kinds of [objective] in a recipe file: the settings of each, and how it builds what is trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from gradatim.train.build import Materials, Prepared
from gradatim.train.kinds.language import (
    BothWaysSettings,
    CausalSettings,
    MaskedSettings,
    NextSentenceSettings,
    SpanCorruptionSettings,
)
from gradatim.train.kinds.pairs import Seq2SeqSettings
from gradatim.train.kinds.spans import SpanSettings
from gradatim.train.kinds.tables import TableSettings
from gradatim.train.kinds.tagging import TaggingSettings
from gradatim.train.kinds.texts import ChoiceSettings, ClassificationSettings, RegressionSettings
from gradatim.train.kinds.vectors import VectorToTextSettings


@runtime_checkable
class ObjectiveSettings(Protocol):
    """[objective] of one kind."""

    def prepare(self, materials: Materials) -> Prepared: ...


COLUMNS = ("text", "text_pair", "label")
PLAIN = ("text", "dev_share", "lines", "sentences")
# What a kind reads of [data] besides source, dev, tokenizer and max_length.
DATA: Mapping[str, tuple[str, ...]] = {
    "classification": (*COLUMNS, "dev_share", "test"),
    "regression": (*COLUMNS, "dev_share"),
    "choice": ("dev_share",),
    "tagging": ("dev_share", "test"),
    "span": ("dev_share",),
    "table": ("dev_share", "test"),
    **dict.fromkeys(
        ("causal", "both_ways", "masked", "next_sentence", "span_corruption", "vector_to_text"), PLAIN
    ),
    "seq2seq": ("text", "text_pair", "dev_share", "test"),
}
WRITING = ("span_corruption", "seq2seq")  # kinds with an encoder and a decoder
KINDS: Mapping[str, type[ObjectiveSettings]] = {
    "classification": ClassificationSettings,
    "regression": RegressionSettings,
    "choice": ChoiceSettings,
    "tagging": TaggingSettings,
    "span": SpanSettings,
    "table": TableSettings,
    "causal": CausalSettings,
    "both_ways": BothWaysSettings,
    "masked": MaskedSettings,
    "next_sentence": NextSentenceSettings,
    "span_corruption": SpanCorruptionSettings,
    "vector_to_text": VectorToTextSettings,
    "seq2seq": Seq2SeqSettings,
}
