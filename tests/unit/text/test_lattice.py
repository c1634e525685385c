"""Divisions of words into the pieces of a unigram model, against all that there are."""

from __future__ import annotations

import math
from itertools import product

import pytest
from tokenizers import Tokenizer, models

from gradatim.errors import ConfigError
from gradatim.text.lattice import Lattice
from gradatim.text.tokenizer import build_tokenizer, preset, train_tokenizer

SCORES = {"▁": -4.0, "▁a": -2.0, "a": -3.0, "b": -2.5, "ab": -3.5, "▁ab": -6.0, "ba": -5.0, "▁aba": -7.0}


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    config = preset("marian")
    vocabulary = [(token, 0.0) for token in config.specials] + list(SCORES.items())
    return build_tokenizer(models.Unigram(vocabulary, unk_id=1), config)


def spelled(pieces: tuple[str, ...]) -> float:
    return math.fsum(SCORES[piece] for piece in pieces)


def test_divisions_are_the_most_probable_of_all(tokenizer: Tokenizer) -> None:
    word = "▁abab"
    every = [
        pieces
        for length in range(1, len(word) + 1)
        for pieces in product(SCORES, repeat=length)
        if "".join(pieces) == word
    ]
    every.sort(key=spelled, reverse=True)
    lattice = Lattice(tokenizer.to_str())
    pieces = tuple(tokenizer.token_to_id(piece) for piece in every[-1])
    for count in (1, 3, 100):
        found = lattice.divisions(pieces, count)
        assert [division.log_probability for division in found] == pytest.approx(
            [spelled(wanted) for wanted in every[:count]]
        )
        assert len({division.ids for division in found}) == min(count, len(every))
        for division in found:
            assert "".join(tokenizer.id_to_token(piece) for piece in division.ids) == word


def test_the_best_is_what_the_tokenizer_says() -> None:
    texts = ["the cat sat on the mat", "a cat and a hat, all that", "the hats of cats that sat"] * 4
    tokenizer = train_tokenizer(texts, preset("marian"), 60)
    lattice = Lattice(tokenizer.to_str())
    for word in {word for text in texts for word in text.split()}:
        ids = tuple(tokenizer.encode(word, add_special_tokens=False).ids)
        best = lattice.divisions(ids, 1)[0]
        again = [tokenizer.id_to_token(piece) for piece in best.ids]
        assert "".join(again) == "".join(map(tokenizer.id_to_token, ids))
        assert best.log_probability >= max(division.log_probability for division in lattice.divisions(ids, 9))
        assert ids in {division.ids for division in lattice.divisions(ids, 9)}


def test_special_and_unknown_tokens_stay(tokenizer: Tokenizer) -> None:
    lattice = Lattice(tokenizer.to_str())
    a = tokenizer.token_to_id("▁a")
    for ids in ((0,), (1,), (a, 1)):
        assert [division.ids for division in lattice.divisions(ids, 5)] == [ids]
    begins = {
        tokenizer.id_to_token(number) for number in range(len(lattice.begins)) if lattice.begins[number]
    }
    assert begins == {"</s>", "<unk>", "<pad>", "▁", "▁a", "▁ab", "▁aba"}


def test_other_kinds_are_refused() -> None:
    tokenizer = train_tokenizer(["some words"], preset("word"), 10)
    with pytest.raises(ConfigError, match="unigram"):
        Lattice(tokenizer.to_str())
