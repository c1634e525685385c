"""Texts cut into parts that can be read at once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gradatim.text.parts import parts
from gradatim.text.tokenizer import preset, train_tokenizer

PIECES = train_tokenizer(
    ["a few words. And others! Are they? yes, they are words"] * 3, preset("unigram"), 160
)
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
