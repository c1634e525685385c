"""Pieces that know their capitals, for tokenizers that make all letters small."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from gradatim.text.capitals import CapitalEncoder, Capitals, folds_case
from gradatim.text.pieces import PieceEncoder

ODD = "abzABZ \u00c4\u00e9\u00df\u0130\u01c5\u0301\u6771\u30bf\U0001f642'.,-\ud800"


@pytest.mark.parametrize(
    ("piece", "wanted"),
    [
        ("", Capitals.NONE), ("film", Capitals.NONE), ("42", Capitals.NONE), ("\u6771\u4eac", Capitals.NONE),
        ("Film", Capitals.FIRST), ("A", Capitals.FIRST), ("\u00c4rger", Capitals.FIRST), ("McDonald", Capitals.FIRST),
        ("FILM", Capitals.ALL), ("U.S.", Capitals.ALL), ("iPhone", Capitals.INSIDE), ("\u00e9A", Capitals.INSIDE),
    ],
)  # fmt: skip
def test_capitals_of_a_piece(piece: str, wanted: Capitals) -> None:
    assert Capitals.of(piece) == wanted


@given(st.lists(st.text(ODD, max_size=40), min_size=1, max_size=4), st.booleans(), st.booleans())
def test_rows_are_those_of_plain_pieces_and_say_what_stands_in_the_text(
    tokenizer_json: str, texts: list[str], spans: bool, pairs: bool
) -> None:
    others = texts[::-1] if pairs else None
    told = CapitalEncoder(tokenizer_json, max_length=12, stride=2).encode(texts, others, spans=spans)
    plain = PieceEncoder(tokenizer_json, max_length=12, stride=2).encode(texts, others, spans=True)
    wanted = (
        {**plain.arrays} if spans else {name: plain.arrays[name] for name in ("ids", "segments", "lengths")}
    )
    assert told.arrays.keys() == {*wanted, "capitals"}
    for name, values in wanted.items():
        np.testing.assert_array_equal(told.arrays[name], values)
    np.testing.assert_array_equal(told.owners, plain.owners)
    owners = np.repeat(plain.owners, plain.arrays["lengths"])
    for at, found in enumerate(told.arrays["capitals"].tolist()):
        start, end, origin = (int(plain.arrays[name][at]) for name in ("starts", "ends", "origins"))
        side = (texts, others or texts, [""] * len(texts))[origin]
        assert found == Capitals.of(side[owners[at]][start:end])


def test_settings_bring_back_the_same_encoder(tokenizer_json: str) -> None:
    one = CapitalEncoder(tokenizer_json, max_length=9, stride=2)
    assert one.settings()["kind"] == "capitals"
    other = CapitalEncoder.from_settings(one.settings(), tokenizer_json)
    assert other.settings() == one.settings()


def test_whether_a_tokenizer_loses_capitals(tokenizer_json: str) -> None:
    folding = Tokenizer.from_str(tokenizer_json)
    assert folds_case(folding)
    folding.normalizer = None
    assert not folds_case(folding)  # A is unknown, a is not
