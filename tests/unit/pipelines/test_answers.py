"""Spans searched in a band, against every span tried; long contexts cost what they are long."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from gradatim.pipelines.answers import QuestionAnswering
from gradatim.pipelines.reader import Reader
from gradatim.pipelines.spans import found_spans
from gradatim.text.overlap import OverlapEncoder
from gradatim.text.pieces import PieceEncoder
from gradatim.types import Arrays

CONTEXT = "not bad . not good . very very bad . the end of the film"


class Drawn:
    """Logits at random, the same for the same rows."""

    def run(self, arrays: Arrays) -> Arrays:
        total = int(arrays["lengths"].sum())
        return {"logits": np.random.default_rng(total).normal(size=(total, 2)).astype(np.float32)}


@pytest.mark.parametrize("longest", [1, 2, 4, 7, 99])
@pytest.mark.parametrize("count", [1, 5, 1000])
def test_the_likeliest_spans_are_those_of_all_that_are_not_too_long(
    tokenizer_json: str, longest: int, count: int
) -> None:
    pieces = PieceEncoder(tokenizer_json, max_length=64)
    ask = QuestionAnswering(
        Reader(kind="span", session=Drawn(), encoder=pieces, tokenizer=tokenizer_json, pairs=True)
    )
    encoded, _ = ask.asked(["good"], [CONTEXT])
    logits = ask.run(encoded)["logits"].astype(np.float64)
    ((found, _),) = found_spans(logits, encoded, [CONTEXT], longest=longest, count=count, align=False)
    inside = np.flatnonzero(encoded.arrays["origins"] == 1)
    starts, ends = encoded.arrays["starts"], encoded.arrays["ends"]
    norms = np.logaddexp.reduce(logits[[0, *inside]], axis=0)
    tried = {
        (i, j): float(np.exp(logits[i, 0] + logits[j, 1] - norms.sum()))
        for i in inside for j in inside if i <= j < i + longest
    }  # fmt: skip
    best = sorted(tried, key=lambda span: -tried[span])[:count]
    texts = dict[str, float]()
    for i, j in best:
        text = CONTEXT[starts[i] : ends[j]]
        texts[text] = texts.get(text, 0.0) + tried[i, j]
    assert {one["answer"]: one["score"] for one in found} == pytest.approx(texts)


def test_a_context_of_thousands_of_words_takes_little_memory() -> None:
    context = " ".join(f"word{i}" for i in range(6000))
    ask = QuestionAnswering(
        Reader(kind="span", session=Drawn(), encoder=OverlapEncoder(), pairs=True, decision={"longest": 15})
    )
    tracemalloc.start()
    found = ask({"question": "which word17 is it?", "context": context})
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found["answer"] in context
    assert peak < 50e6, "6,000 x 6,000 numbers are 288 MB"
