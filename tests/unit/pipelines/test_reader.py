"""A reader's encoder with other settings: equal to one made anew, with the one tokenizer that there is."""

from __future__ import annotations

import numpy as np
import pytest

from gradatim.errors import ConfigError
from gradatim.pipelines.reader import Reader
from gradatim.text.pieces import PieceEncoder
from gradatim.types import Arrays

TEXTS = ["the film is not very good and not bad", "good", ""]


class Silent:
    """Of no use here."""

    def run(self, arrays: Arrays) -> Arrays:
        return {}


@pytest.fixture
def reader(tokenizer_json: str) -> Reader:
    encoder = PieceEncoder(tokenizer_json, max_length=16, stride=2)
    return Reader(kind="body", session=Silent(), encoder=encoder, tokenizer=tokenizer_json)


@pytest.mark.parametrize("truncate", [False, True])
@pytest.mark.parametrize(("length", "stride"), [(None, None), (8, 1), (9, 0), (16, 3), (99, 2)])
def test_other_settings_are_those_of_an_encoder_made_anew(
    reader: Reader, tokenizer_json: str, length: int | None, stride: int | None, truncate: bool
) -> None:
    found = reader.encoder_for(length, stride, truncate)
    wanted = PieceEncoder(
        tokenizer_json,
        max_length=min(length or 16, 16),
        stride=2 if stride is None else stride,
        truncate=truncate,
    )
    assert found.settings() == wanted.settings()
    for name, values in wanted.encode(TEXTS).arrays.items():
        np.testing.assert_array_equal(found.encode(TEXTS).arrays[name], values)
    assert reader.pieces.settings()["max_length"] == 16, "its own stays as it was"


def test_there_is_one_tokenizer_whatever_is_asked(reader: Reader) -> None:
    every = [reader.encoder_for(length, 0, False) for length in range(6, 16)]
    assert all(one.tokenizer is reader.pieces.tokenizer for one in every)


def test_a_window_without_room_is_refused(reader: Reader) -> None:
    with pytest.raises(ConfigError, match="leaves no room"):
        reader.encoder_for(3, None, False)
