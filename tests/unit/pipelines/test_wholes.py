"""Windows put together again, also where a text has no tokens; taggers and the pipeline say the same of long texts."""

from __future__ import annotations

import numpy as np
import pytest

from gradatim.pipelines.entities import TokenClassification
from gradatim.pipelines.reader import Reader
from gradatim.pipelines.tagger import SequenceTagger
from gradatim.pipelines.wholes import Wholes
from gradatim.text.contexts import ContextEncoder
from gradatim.text.pieces import PieceEncoder
from gradatim.types import Arrays, Encoded, Task

LABELS = ("O", "B-A", "I-A", "B-B", "I-B")


class Wavering:
    """Logits that depend on where in its window a token stands, so that windows that share a token disagree."""

    def run(self, arrays: Arrays) -> Arrays:
        lengths = arrays["lengths"]
        within = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        number = np.resize(arrays.get("ids", arrays.get("keys", within)).ravel(), len(within)).astype(
            np.float64
        )
        columns = np.arange(len(LABELS))
        return {"logits": (3 * np.sin(number[:, None] + 1.7 * within[:, None] * columns)).astype(np.float32)}


@pytest.mark.parametrize("sizes", [[2, 0], [0, 0], [0, 3, 0], [1, 2]])
def test_texts_without_tokens_have_none(sizes: list[int]) -> None:
    total = sum(sizes)
    places = np.concatenate([np.arange(size) for size in sizes]).astype(np.int64)
    arrays = {"lengths": np.array(sizes), "origins": np.zeros(total, np.int64), "places": places}
    wholes = Wholes.of(Encoded(arrays, np.arange(len(sizes)), len(sizes)))
    assert wholes.sizes.tolist() == sizes
    values = np.arange(total, dtype=np.float32)
    assert [len(part) for part in wholes.split(wholes.mean(values))] == sizes
    assert wholes.mean(values).tolist() == values.tolist()


@pytest.mark.parametrize("blank", ["", "  "])
def test_a_model_of_words_finds_nothing_in_an_empty_text(blank: str) -> None:
    encoder = ContextEncoder()
    reader = Reader(kind="tagging", session=Wavering(), encoder=encoder, labels=LABELS)
    ask = TokenClassification(reader, ignore_labels=[])
    alone = ask(["Anna"])
    assert ask(["Anna", blank]) == [*alone, []]
    assert ask([blank, "Anna"])[0] == []


@pytest.mark.parametrize("stride", [0, 2])
def test_a_tagger_and_the_pipeline_agree_on_texts_in_windows(tokenizer_json: str, stride: int) -> None:
    texts = [
        "the film is not very good and not bad the end",
        "good",
        "abc bad film not the good very abc bad .",
    ]
    encoder = PieceEncoder(tokenizer_json, max_length=9, stride=stride)
    reader = Reader(
        kind="tagging", session=Wavering(), encoder=encoder, labels=LABELS, tokenizer=tokenizer_json
    )
    tokens = TokenClassification(reader, ignore_labels=[])(texts)
    spans = [[(start, start + len(word)) for start, word in placed(text)] for text in texts]
    found = SequenceTagger(encoder, Wavering(), Task(LABELS, kind="tagging")).tagged(texts, spans)
    firsts = [
        next(one for one in row if start <= one["start"] < end)
        for row, words in zip(tokens, spans, strict=True)
        for start, end in words
    ]
    assert [LABELS[tag] for tag in found.tags] == [one["entity"] for one in firsts]
    np.testing.assert_allclose(found.scores, [one["score"] for one in firsts], rtol=1e-5)


def placed(text: str) -> list[tuple[int, str]]:
    """Words with where they begin."""
    words = text.split(" ")
    return [(len(" ".join(words[:i])) + (i > 0), word) for i, word in enumerate(words)]
