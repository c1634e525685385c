"""Texts in, texts out, over a model that writes its source backwards."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gradatim.decode.search import Search
from gradatim.pipelines.text_to_text import TextToText
from gradatim.text.pieces import PieceEncoder
from gradatim.text.tokenizer import preset, train_tokenizer
from gradatim.types import Array, Arrays, Candidates

WORDS = ["a", "dog", "runs", ".", "the", "cat", "sleeps", "and", "eats", "fish"]
TOKENIZER = train_tokenizer([" ".join(WORDS)] * 3, preset("word"), 200)
END = TOKENIZER.token_to_id("</s>")


@dataclass
class Left:
    rows: list[list[int]]

    def reorder(self, rows: Array) -> Left:
        return Left([self.rows[row] for row in rows])


class Backwards:
    """Says the source's tokens from its last to its first, and then the end; the second choice is always the end."""

    vocab_size = TOKENIZER.get_vocab_size()

    def __init__(self) -> None:
        self.batches: list[list[int]] = []

    def begin(self, batch: Arrays, count: int) -> tuple[Candidates, Left]:
        self.batches.append(batch["lengths"].tolist())
        rows = np.split(batch["ids"], np.cumsum(batch["lengths"])[:-1])
        state = Left([[END, *row.tolist()] for row in rows])
        return self.candidates(state, count), state

    def advance(self, ids: Array, state: Left, count: int) -> tuple[Candidates, Left]:
        state = Left([row[:-1] or [END] for row in state.rows])
        return self.candidates(state, count), state

    def candidates(self, state: Left, count: int) -> Candidates:
        ids = np.array([[row[-1], END, 7, 8, 9, 10][:count] for row in state.rows])
        scores = np.tile(np.array([0.0, -3.0, -5.0, -6.0, -7.0, -8.0])[: ids.shape[1]], (len(ids), 1))
        looked = np.zeros((len(ids), 60))
        looked[:, 0] = 1
        return Candidates(ids, scores, np.zeros(len(ids)), looked)


def writer(max_length: int = 60, prefix: str = "") -> TextToText:
    pieces = PieceEncoder(TOKENIZER.to_str(), max_length=max_length)
    return TextToText(Backwards(), pieces, TOKENIZER.to_str(), end=END, prefix=prefix)


def test_texts_come_back_in_their_order_whatever_their_company() -> None:
    texts = ["a dog runs", "", "the cat sleeps and eats fish", " \n", "fish"]
    assert writer()(texts) == ["runs dog a", "", "fish eats and sleeps cat the", "", "fish"]
    assert [writer()([text])[0] for text in texts] == writer()(texts)
    assert writer()([]) == []
    [[output]] = writer().outputs(["a dog runs"])
    assert output.ended
    assert len(output.tokens) == 3
    assert output.attention is not None
    assert output.attention.shape == (3, 3)


def test_a_long_text_is_written_in_parts_and_nothing_is_lost() -> None:
    short = writer(max_length=10)
    text = "a dog runs . the cat sleeps and eats . fish runs and eats"
    [written] = short([text])
    assert sorted(written.split()) == sorted(text.split())
    assert written.startswith(". eats and sleeps cat the . runs dog a eats")


def test_a_prefix_names_the_task_and_costs_room() -> None:
    assert writer(prefix="the cat ")(["a dog"]) == ["dog a cat the"]


def test_several_texts_and_given_beginnings() -> None:
    search = Search(end=END, beams=2, best=2, max_length=20)
    [[first, second]] = writer().outputs(["a dog runs"], search)
    assert first.text == "runs dog a"
    assert first.score > second.score
    [[begun]] = writer().outputs(["a dog runs"], begin=["fish"])
    assert begun.text.startswith("fish")


def test_texts_of_like_length_are_read_together() -> None:
    model = writer(max_length=400)
    model(["fish " * n for n in (1, 90, 2, 80, 3)] + ["a"] * 80)
    sizes = model.stepper.batches  # type: ignore[attr-defined]
    assert list(map(len, sizes)) == [45, 40]
    assert sizes[0][:3] == [90, 80, 3]
