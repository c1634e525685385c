"""Words, tags and entities: every token finds its word, every entity its place in the text."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradatim.pipelines.tagging import chunks, entities, joined, tag_words, word_of_tokens
from gradatim.text.pieces import PieceEncoder
from gradatim.types import Encoded

labeling = pytest.importorskip("seqeval.metrics.sequence_labeling")
SENTENCES = [["good", "films", "!"], ["bad"], [], ["not", "the", "abc"] * 4]


@pytest.mark.parametrize("stride", [0, 2])
def test_every_piece_lies_in_its_word(tokenizer_json: str, stride: int) -> None:
    texts, spans = zip(*map(joined, SENTENCES), strict=True)
    encoded = PieceEncoder(tokenizer_json, max_length=9, stride=stride).encode(texts, spans=True)
    words = word_of_tokens(encoded, spans)
    of_word = [(i, span) for i, sentence in enumerate(spans) for span in sentence]
    owners = np.repeat(encoded.owners, encoded.arrays["lengths"])
    seen = set()
    for token, word in enumerate(words.tolist()):
        start, end = encoded.arrays["starts"][token], encoded.arrays["ends"][token]
        if encoded.arrays["origins"][token] == 2:
            assert word == -1
            continue
        text, span = of_word[word]
        assert text == owners[token]
        assert span[0] <= start < end <= span[1]
        seen.add(word)
    assert seen == set(range(len(of_word)))


def test_a_space_before_its_word_belongs_to_the_word(tokenizer_json: str) -> None:
    """As a byte-level tokenizer without trimmed offsets has it."""
    text, spans = joined(["ab", "cd"])
    encoded = PieceEncoder(tokenizer_json, max_length=24).encode([text], spans=True)
    starts = encoded.arrays["starts"]
    starts[starts == 3] = 2
    assert word_of_tokens(encoded, [spans]).tolist() == [-1, 0, 0, 1, 1, -1]


def test_the_first_piece_decides_and_a_word_without_any_is_outside() -> None:
    words = np.array([-1, 0, 0, 2, -1, 2, -1])
    logits = np.array([[9, 0], [0, 1], [9, 0], [0, 3], [9, 0], [9, 0], [0, 9]], dtype=np.float32)
    tags, scores = tag_words(logits, words, 3, ["O", "B-X"])
    assert tags == ["B-X", "O", "B-X"]
    np.testing.assert_allclose(scores, [1 / (1 + np.exp(-1)), 1, 1 / (1 + np.exp(-3))], rtol=1e-6)


@given(st.lists(st.sampled_from(["O", "B-A", "I-A", "B-B", "I-B"])))
def test_entities_are_those_of_the_shared_task(tags: list[str]) -> None:
    wanted = [(label, first, last + 1) for label, first, last in labeling.get_entities(tags)]
    assert list(chunks(tags)) == wanted


def test_entities_slice_the_text() -> None:
    text, spans = joined(["EU", "rejects", "Peter", "Blackburn", "."])
    scores = np.array([0.9, 1.0, 0.5, 0.7, 1.0], dtype=np.float32)
    found = entities(text, spans, ["B-ORG", "O", "B-PER", "I-PER", "O"], scores)
    assert [(e.label, e.text, e.start, e.end) for e in found] == [
        ("ORG", "EU", 0, 2), ("PER", "Peter Blackburn", 11, 26),
    ]  # fmt: skip
    assert [e.score for e in found] == pytest.approx([0.9, 0.6])
    assert all(text[e.start : e.end] == e.text for e in found)


def test_tokens_of_blanks_behind_a_text_are_in_no_word_of_the_next() -> None:
    """As byte-level tokenizers have them."""
    arrays = {
        "lengths": np.array([4, 3]),
        "origins": np.array([2, 0, 0, 2, 2, 0, 2]),
        "starts": np.array([0, 0, 5, 0, 0, 0, 0]),
        "ends": np.array([0, 5, 9, 0, 0, 3, 0]),
    }
    encoded = Encoded(arrays, np.array([0, 1]), 2)  # "Hello    ", "Bob"
    assert word_of_tokens(encoded, [[(0, 5)], [(0, 3)]]).tolist() == [-1, 0, -1, -1, -1, 1, -1]
    assert word_of_tokens(encoded, [[], [(0, 3)]]).tolist() == [-1, -1, -1, -1, -1, 0, -1]
