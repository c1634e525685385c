"""The model that only knows which words two texts share: places of words, the answer that it picks, its bytes."""

from __future__ import annotations

import numpy as np
import pytest

from gradatim.engine.overlap import OverlapSession
from gradatim.errors import ArtifactError, DataError
from gradatim.ladder.answering.overlap import word_weights
from gradatim.pipelines.answers import QuestionAnswering
from gradatim.pipelines.choices import MultipleChoice
from gradatim.pipelines.reader import Reader
from gradatim.text.overlap import OverlapEncoder

CONTEXTS = ["The cat sat. Anna lives in Oslo now.", "", "Ünï Привет 日本 ok!!!"]


def reader(kind: str, width: int, threshold: float | None = None) -> Reader:
    session = OverlapSession(*word_weights([*CONTEXTS, "the cat", "the dog"]), width)
    decision = {"longest": width} | ({} if threshold is None else {"threshold": threshold})
    return Reader(kind=kind, session=session, encoder=OverlapEncoder(), pairs=True, decision=decision)


def test_words_lie_where_they_are_said_to() -> None:
    encoded = OverlapEncoder().encode(["who?", "", "a b"], CONTEXTS)
    arrays, first = encoded.arrays, 0
    for text, pair, size in zip(["who?", "", "a b"], CONTEXTS, arrays["lengths"].tolist(), strict=True):
        row = slice(first, first + size)
        first += size
        assert arrays["origins"][row][0] == 2
        for origin, side in ((0, text), (1, pair)):
            own = arrays["origins"][row] == origin
            spans = zip(arrays["starts"][row][own], arrays["ends"][row][own], strict=True)
            assert "".join(side[a:b] for a, b in spans) == "".join(side.split())
            assert arrays["places"][row][own].tolist() == list(range(own.sum()))
    assert first == len(arrays["ids"])
    with pytest.raises(DataError, match="pairs"):
        OverlapEncoder().encode(["single"])


def test_an_answer_stands_near_the_words_of_the_question() -> None:
    ask = QuestionAnswering(reader("span", 1))
    found = ask(question="Where does Anna live in now?", context=CONTEXTS[0])
    assert found["answer"] == CONTEXTS[0][found["start"] : found["end"]]
    assert found["answer"].lower() not in {"anna", "in", "now"}
    never = QuestionAnswering(reader("span", 1, threshold=5.0))
    assert never(question="Where is Anna?", context=CONTEXTS[0])["answer"] == ""
    assert never(question="Where is Anna?", context=CONTEXTS[0], handle_impossible_answer=False)["answer"]


def test_the_choice_has_most_of_its_words_in_the_context() -> None:
    choose = MultipleChoice(reader("choice", 0))
    found = choose({"prompt": CONTEXTS[0], "choices": ["the dog ran", "Anna lives in Oslo", "nothing"]})
    assert found["index"] == 1
    assert sum(found["scores"]) == pytest.approx(1)


def test_what_was_written_is_read_again() -> None:
    encoded = OverlapEncoder().encode(["Where is Anna?"] * 2, CONTEXTS[::2])
    for width in (0, 2):
        session = OverlapSession(*word_weights(CONTEXTS), width)
        again = OverlapSession.from_npz(session.to_npz())
        ours, theirs = (one.run(encoded.arrays)["logits"] for one in (session, again))
        np.testing.assert_array_equal(ours, theirs)
        assert ours.shape == ((2, 1) if width == 0 else (len(encoded.arrays["ids"]), 2))
    with pytest.raises(ArtifactError):
        OverlapSession.from_npz(b"PK")
    with pytest.raises(ArtifactError, match="do not fit"):
        OverlapSession(np.zeros(2), np.zeros(3), 1.0, 1)


def test_a_word_weighs_less_the_more_contexts_have_it() -> None:
    keys, weights, unseen = word_weights(["a b", "a b", "a c", "a b d", "e"])  # equal ones count once
    assert len(keys) == 2  # a and b: c, d and e are in one context each
    assert sorted(np.round(np.exp(weights), 6)) == [pytest.approx(5 / 3), pytest.approx(5 / 2)]
    assert unseen == pytest.approx(np.log(5))
