"""Unknown words, taken from the source that the model looked at."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradatim.pipelines.text_to_text import TextToText
from gradatim.pipelines.unknown import with_source_words, word_at
from gradatim.text.pieces import PieceEncoder
from gradatim.text.tokenizer import preset, train_tokenizer
from gradatim.types import Array, Arrays, Candidates

WORDS = {3: "ein", 4: "hund"}


def decode(ids: list[int]) -> str:
    return " ".join(WORDS[token] for token in ids)


def test_an_unknown_word_is_the_one_that_was_looked_at() -> None:
    source = "a dog called Rex-7 barks"
    spans = [(0, 1), (2, 5), (6, 12), (13, 16), (16, 18), (19, 24), (0, 0)]
    looked = np.eye(7)[[0, 1, 4]]
    assert with_source_words([3, 4, 0], looked, 0, decode, source, spans) == "ein hund Rex-7"
    assert with_source_words([0, 3, 0], looked[[4 % 3, 0, 2]], 0, decode, source, spans) == "dog ein Rex-7"


def test_what_stands_for_no_character_is_not_copied() -> None:
    assert word_at("one two", [(0, 0), (0, 3), (4, 7)], np.array([0.6, 0.1, 0.3])) == "two"
    assert word_at("", [(0, 0)], np.array([1.0])) == ""


class Copier:
    """Writes a known word, then the unknown one while it looks at the last source word, then the end."""

    vocab_size = 9

    def __init__(self, tokens: list[int]) -> None:
        self.tokens = tokens

    def begin(self, batch: Arrays, count: int) -> tuple[Candidates, Any]:
        self.length = int(batch["lengths"].max())
        return self._step(0, len(batch["lengths"])), _Step(0)

    def advance(self, ids: Array, state: Any, count: int) -> tuple[Candidates, Any]:
        return self._step(state.number + 1, len(ids)), _Step(state.number + 1)

    def _step(self, number: int, rows: int) -> Candidates:
        attention = np.zeros((rows, self.length))
        attention[:, self.length - 2] = 1
        ids = np.full((rows, 1), self.tokens[number])
        return Candidates(ids, np.zeros((rows, 1)), np.zeros(rows), attention)


class _Step:
    def __init__(self, number: int) -> None:
        self.number = number

    def reorder(self, rows: Array) -> Any:
        return self


def test_a_pipeline_fills_in_what_its_vocabulary_lacks() -> None:
    config = preset("word", specials=("<pad>",))
    tokenizer = train_tokenizer(["the dog barks", "the cat sleeps"] * 2, config, 30)
    known = tokenizer.get_vocab()
    json = tokenizer.to_str()
    framed = PieceEncoder(json, max_length=32)
    stepper = Copier([known["the"], known["<unk>"], known["</s>"]])
    writer = TextToText(stepper, framed, json, end=known["</s>"])
    text = "the dog Xerxes sleeps"
    ids = framed.encode([text]).arrays["ids"]
    [[output]] = writer.outputs([text], writer.search(beams=1))
    place = len(ids) - 2
    assert output.text == f"the {text.split()[place]}"
    assert output.tokens == ("the", "<unk>")
    assert "".join(writer.stream(text)) == output.text
