"""Which encoder makes texts readable for a body."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gradatim.models.backbone import Backbone, BackboneConfig
from gradatim.models.elmo import ElmoConfig
from gradatim.models.recurrent import RecurrentConfig
from gradatim.text.capitals import CapitalEncoder, Capitals
from gradatim.text.characters import CharacterEncoder
from gradatim.text.pieces import PieceEncoder
from gradatim.types import CAPITALS


def encoder_for(config: Any, tokenizer_json: str, *, max_length: int, stride: int = 0) -> PieceEncoder:
    """The letters of words for ELMo; pieces for others, with their capitals for a body that is told of them."""
    kind = PieceEncoder
    if isinstance(config, ElmoConfig):
        kind = CharacterEncoder
    elif reads_capitals(config):
        kind = CapitalEncoder
    return kind(tokenizer_json, max_length=max_length, stride=stride)


def reads_capitals(config: Any) -> bool:
    """Whether a body has vectors for the capitals of its tokens."""
    return isinstance(config, BackboneConfig | RecurrentConfig) and CAPITALS in config.marks


def with_capitals(config: BackboneConfig) -> BackboneConfig:
    """The same body with vectors for the capitals of its tokens."""
    marks = {**config.marks, CAPITALS: len(Capitals)}
    return replace(config, embedding=replace(config.embedding, marks=marks))


def told_of_capitals(body: Backbone) -> Backbone:
    """The same body with such vectors; where there are no capitals it says what it said."""
    told = Backbone(with_capitals(body.config))
    told.embedding.marks.silence()
    told.load_state_dict(body.state_dict(), strict=False)
    return told
