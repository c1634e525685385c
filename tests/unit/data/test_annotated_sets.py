"""The annotated sets under GRADATIM_DATA, against the counts of their README."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gradatim.data.annotated import annotated_files
from gradatim.data.choices import read_choices
from gradatim.data.questions import read_questions
from gradatim.data.scored import load_scored
from gradatim.data.tagged import read_tagged

ROOT = os.environ.get("GRADATIM_DATA", "")
pytestmark = pytest.mark.skipif(
    not (ROOT and Path(ROOT).is_dir()), reason="GRADATIM_DATA does not name a folder with the benchmark sets"
)


@pytest.mark.parametrize(("split", "sentences", "words"), [("train", 14041, 203621), ("dev", 3250, 51362)])
def test_conll2003(split: str, sentences: int, words: int) -> None:
    (path,) = annotated_files("conll2003")[split]
    found = read_tagged(path)
    assert (len(found), sum(len(sentence.words) for sentence in found)) == (sentences, words)
    names = {tag for sentence in found for tag in sentence.tags}
    assert names == {"O"} | {f"{place}-{name}" for place in "BI" for name in ("LOC", "MISC", "ORG", "PER")}


@pytest.mark.parametrize(("version", "questions", "unanswerable"), [("v1.1", 5696, 0), ("v2.0", 5690, 2916)])
def test_squad(version: str, questions: int, unanswerable: int) -> None:
    (path,) = annotated_files(f"squad/{version}")["dev"]
    found = read_questions(path)
    assert (len(found), sum(not question.answers for question in found)) == (questions, unanswerable)


def test_restaurant8k_has_five_questions_an_utterance() -> None:
    (path,) = annotated_files("restaurant8k")["train"]
    found = read_questions(path)
    assert (len(found), sum(map(len, (q.answers for q in found)))) == (
        5 * 8198,
        2164 + 1972 + 1721 + 891 + 887,
    )


def test_subjqa_answers_lie_in_reviews_without_the_mark() -> None:
    found = [question for path in annotated_files("subjqa")["dev"] for question in read_questions(path)]
    assert not any("ANSWERNOTFOUND" in question.context for question in found)
    assert 0.3 < sum(bool(question.answers) for question in found) / len(found) < 0.7


@pytest.mark.parametrize(("split", "questions"), [("train", 6116), ("dev", 2040), ("test", 2041)])
def test_dream(split: str, questions: int) -> None:
    (path,) = annotated_files("dream")[split]
    found = read_choices(path)
    assert len(found) == questions
    assert {len(question.choices) for question in found} == {3}


def test_stsb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("datasets")
    monkeypatch.setenv("GRADATIM_CACHE", str(tmp_path))
    train, dev, _ = load_scored("stsb")
    assert (len(train), len(dev)) == (5749, 1500)
    assert (train.texts[0], train.scores[0]) == ("A plane is taking off.", 5.0)
    assert 0 <= train.scores.min() < train.scores.max() == 5
