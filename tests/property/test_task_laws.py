"""Whatever the text, the tokenizer and the windows: offsets are of the original string, and nothing is left out."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradatim.pipelines.answers import QuestionAnswering
from gradatim.pipelines.blanks import FillMask
from gradatim.pipelines.entities import STRATEGIES, TokenClassification
from gradatim.pipelines.features import FeatureExtraction
from gradatim.pipelines.labels import TextClassification
from gradatim.pipelines.reader import Reader
from gradatim.text.pieces import PieceEncoder
from gradatim.text.tokenizer import PRESETS, train_tokenizer
from gradatim.types import Arrays

TAGS = ("O", "B-X", "I-X", "B-Y", "I-Y")
LINES = ["The film was good.", "das Ünglück im Café, 1999!", "naïve — 東京 タワー", "a b c d e f"] * 3
FAMILIES = ["bert", "roberta", "t5"]
TEXTS = st.text(
    st.one_of(st.sampled_from("abz ÄéßŁ\u0301\u200d\u00a0\t\n東タ🙂👩👍🏽 ffi'.,-"), st.characters()),
    max_size=60,
)


class WordsAlone:
    """A model that sees no context: what it says of a token depends on the token alone."""

    def __init__(self, outputs: int, per: str) -> None:
        self.table = np.random.default_rng(3).normal(size=(5000, outputs)).astype(np.float32)
        self.per = per

    def run(self, arrays: Arrays) -> Arrays:
        values = self.table[arrays["ids"] % len(self.table)]
        if "asked" in arrays:
            return {"logits": values[arrays["asked"]]}
        if self.per == "row":
            starts = np.cumsum(arrays["lengths"]) - arrays["lengths"]
            return {"logits": np.add.reduceat(values, starts)}
        return {"logits": values, "states": values}


@cache
def tokenizer(family: str) -> str:
    return str(train_tokenizer(LINES, PRESETS[family], size=400).to_str())


def reader(family: str, max_length: int, outputs: int, *, per: str = "token", stride: int = 3) -> Reader:
    pieces = PieceEncoder(tokenizer(family), max_length=max_length, stride=stride)
    mask = next((m for m in ("[MASK]", "<mask>") if pieces.tokenizer.token_to_id(m) is not None), None)
    return Reader(
        kind="any", session=WordsAlone(outputs, per), encoder=pieces, labels=TAGS[:outputs],
        tokenizer=tokenizer(family), mask=mask,
    )  # fmt: skip


def alike(one: Any, other: Any) -> bool:
    """Equal up to rounding."""
    if isinstance(one, float):
        return bool(one == pytest.approx(other, abs=1e-5))
    if isinstance(one, list):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(alike(one[name], other[name]) for name in one)
    return bool(one == other)


@pytest.mark.parametrize("family", FAMILIES)
@given(text=TEXTS, strategy=st.sampled_from(STRATEGIES), max_length=st.integers(16, 24))
def test_entities_lie_in_the_original_text_whatever_the_windows(
    family: str, text: str, strategy: str, max_length: int
) -> None:
    options = {"aggregation_strategy": strategy, "ignore_labels": ["O", "Y"]}
    short, whole = (
        TokenClassification(reader(family, length, len(TAGS)), **options) for length in (max_length, 1000)
    )
    found = short(text)
    assert alike(found, whole(text))
    assert short.cut_tokens == 0
    reached = -1
    for one in found:
        assert 0 <= one["start"] <= one["end"] <= len(text)
        part = text[one["start"] : one["end"]]
        assert part == part.strip()
        assert one["start"] >= reached or not part or strategy == "none"
        reached = one["start"]


@pytest.mark.parametrize("family", FAMILIES)
@given(text=TEXTS, max_length=st.integers(16, 24))
def test_states_and_labels_do_not_depend_on_windows(family: str, text: str, max_length: int) -> None:
    short, whole = (FeatureExtraction(reader(family, length, 3)) for length in (max_length, 1000))
    assert alike(short(text), whole(text))
    labels = TextClassification(reader(family, max_length, 3, per="row"))
    assert len(labels([text, text])) == 2
    assert labels.cut_tokens == 0


@pytest.mark.parametrize("family", ["bert", "roberta"])
@given(text=TEXTS, before=st.integers(0, 40))
def test_a_missing_word_is_found_in_any_window(family: str, text: str, before: int) -> None:
    short, whole = (FillMask(reader(family, length, 50), top_k=2) for length in (16, 1000))
    asked = "a " * before + str(short.reader.mask) + " " + text
    assert alike(short(asked), whole(asked))


@pytest.mark.parametrize("family", FAMILIES)
@given(context=TEXTS.filter(str.strip), question=TEXTS.filter(str.strip), impossible=st.booleans())
def test_answers_are_spans_of_the_original_context(
    family: str, context: str, question: str, impossible: bool
) -> None:
    ask = QuestionAnswering(reader(family, 24, 2), top_k=3, handle_impossible_answer=impossible)
    found = ask(question=question, context=context * 4)
    for one in found if isinstance(found, list) else [found]:
        assert (context * 4)[one["start"] : one["end"]] == one["answer"]
        assert 0 <= one["score"] <= 1 + 1e-9
    assert ask.cut_tokens == 0


@pytest.mark.parametrize("family", FAMILIES)
@given(context=TEXTS.filter(str.strip), impossible=st.booleans())
def test_the_best_answer_does_not_depend_on_windows(family: str, context: str, impossible: bool) -> None:
    options = {"top_k": 2, "handle_impossible_answer": impossible, "max_answer_len": 4}
    short, whole = (
        QuestionAnswering(reader(family, length, 2), max_seq_len=length, doc_stride=4, **options)
        for length in (24, 2000)
    )
    asked = {"question": "a", "context": context * 3}
    one, other = short(asked), whole(asked)
    firsts = [found[0] if isinstance(found, list) else found for found in (one, other)]
    assert firsts[0]["score"] == pytest.approx(firsts[1]["score"], abs=1e-5)


@given(text=TEXTS.map(lambda text: "a " * 20 + text))
def test_what_truncation_leaves_out_is_counted_in_the_answer(text: str) -> None:
    made = reader("bert", 16, 3, per="row")
    label = TextClassification(made, truncation=True)
    [one] = label(text)
    tokens = int(made.pieces.documents([text]).arrays["lengths"][0])
    assert one["cut_tokens"] == label.cut_tokens == tokens - made.pieces.room
