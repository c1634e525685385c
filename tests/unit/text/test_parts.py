"""Texts cut into parts that can be read at once."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from gradatim.text.parts import parts
from gradatim.text.tokenizer import preset, train_tokenizer

PIECES = train_tokenizer(
    ["a few words. And others! Are they? yes, they are words"] * 3, preset("unigram"), 160
)
PREFIXES = train_tokenizer(["a few words. And others! Are they? yes, they are words"] * 3, preset("bert"), 60)
WORDS = train_tokenizer(["a few words. And others!"], preset("word"), 20)


@given(st.text(alphabet="ab .!?。\né\U0001f600", max_size=120), st.integers(1, 9))
def test_parts_are_the_text_and_none_is_too_long(text: str, room: int) -> None:
    found = parts(PIECES, text, room)
    assert "".join(found) == text
    for part in found:
        tokens = PIECES.encode(part, add_special_tokens=False).ids
        assert len(tokens) <= room or len(part) == 1


def test_a_part_ends_with_a_sentence_if_one_fits_else_with_a_word() -> None:
    text = "a few words. And others! " + "few " * 9
    assert parts(WORDS, text, 6) == ["a few words. And others! ", "few " * 6, "few " * 3]
    assert parts(WORDS, text, 4)[:2] == ["a few words. ", "And others! "]


def by_the_whole_rest(tokenizer: Tokenizer, text: str, room: int) -> list[str]:
    """What `parts` says, with all that is left tokenised for every part."""

    def starts(some: str) -> list[int]:
        return [begin for begin, _ in tokenizer.encode(some, add_special_tokens=False).offsets]

    ends = [[found.end() for found in re.finditer(p, text)] for p in (r"[.!?…]\s+|。|\n\s*", r"\s+")]
    found, begin = [], 0
    while begin < len(text):
        cut = len(text)
        while len(tokens := starts(text[begin:cut])) > room and cut > begin + 1:
            limit = max(begin + 1, min(cut - 1, begin + tokens[room]))
            cut = next(
                (max(inside) for places in ends if (inside := [p for p in places if begin < p <= limit])),
                limit,
            )
        found.append(text[begin:cut])
        begin = cut
    return found or [text]


@settings(max_examples=25)
@pytest.mark.parametrize("tokenizer", [PIECES, PREFIXES, WORDS], ids=["unigram", "wordpiece", "word"])
@given(
    st.lists(
        st.sampled_from(
            [
                "a",
                "few",
                "words.",
                "And",
                "others!",
                "they?\n",
                "words" * 25,
                "are" * 30,
                "あ。" * 9,
                "\n",
                "",
            ]
        )
    ),
    st.integers(2, 60),
    st.integers(3, 20),
)
def test_parts_do_not_depend_on_how_much_is_looked_at(
    tokenizer: Tokenizer, words: list[str], times: int, room: int
) -> None:
    text = " ".join(words * times)[:1200]
    assert parts(tokenizer, text, room) == by_the_whole_rest(tokenizer, text, room)


def test_only_as_much_is_tokenised_as_a_part_needs() -> None:
    class Counting:
        characters = 0

        def encode(self, text: str, add_special_tokens: bool) -> object:
            self.characters += len(text)
            return WORDS.encode(text, add_special_tokens=add_special_tokens)

    seen = []
    for times in (1000, 2000):
        counting = Counting()
        parts(counting, "a few words. And others! " * times, 60)  # type: ignore[arg-type]
        seen.append(counting.characters)
    assert seen[1] < 2.1 * seen[0]
