"""Answers out of logits, against every span tried in turn."""

from __future__ import annotations

import numpy as np
import pytest

from gradatim.pipelines.spans import best_answers, found_spans, margin
from gradatim.text.pieces import PieceEncoder
from gradatim.types import Array, Encoded

CONTEXTS = ["the film is very good !", "not bad . not good . very very bad . the end of it .", "a"]
QUESTIONS = ["good", "bad film", "b"]


def encode(tokenizer_json: str, stride: int = 3) -> Encoded:
    pieces = PieceEncoder(tokenizer_json, max_length=14, stride=stride)
    return pieces.encode(QUESTIONS, CONTEXTS, spans=True, places=True)


def by_trying(logits: Array, encoded: Encoded, text: int, longest: int) -> tuple[float, int, int, float]:
    """The best score with its offsets, and the score of having no answer."""
    best, none = (-np.inf, 0, 0), np.inf
    ends = np.cumsum(encoded.arrays["lengths"])
    for row in np.flatnonzero(encoded.owners == text):
        begin, end = ends[row] - encoded.arrays["lengths"][row], ends[row]
        none = min(none, float(logits[begin].sum()))
        for i in range(begin, end):
            for j in range(i, min(end, i + longest)):
                if encoded.arrays["origins"][i] == encoded.arrays["origins"][j] == 1:
                    score = float(logits[i, 0]) + float(logits[j, 1])
                    best = max(best, (score, encoded.arrays["starts"][i], encoded.arrays["ends"][j]))
    return *best, none


@pytest.mark.parametrize("longest", [1, 3, 99])
@pytest.mark.parametrize("seed", range(4))
def test_the_best_span_of_all_windows(tokenizer_json: str, longest: int, seed: int) -> None:
    encoded = encode(tokenizer_json)
    assert len(encoded.owners) > len(CONTEXTS)
    total = int(encoded.arrays["lengths"].sum())
    logits = np.random.default_rng(seed).normal(size=(total, 2)).astype(np.float32)
    for i, (found, nothing) in enumerate(
        found_spans(logits, encoded, CONTEXTS, longest=longest, align=False)
    ):
        score, start, end, none = by_trying(logits, encoded, i, longest)
        (best,) = found
        assert (best["start"], best["end"], best["answer"]) == (start, end, CONTEXTS[i][start:end])
        assert margin(best["score"], nothing) == pytest.approx(score - none, abs=1e-5)


def test_a_context_without_tokens_has_no_answer(tokenizer_json: str) -> None:
    encoded = PieceEncoder(tokenizer_json, max_length=14).encode(
        ["good", "bad"], ["", "film"], spans=True, places=True
    )
    logits = np.ones((int(encoded.arrays["lengths"].sum()), 2), dtype=np.float32)
    first, second = best_answers(logits, encoded, ["", "film"], longest=30)
    assert (first.text, second.text) == ("", "film")
