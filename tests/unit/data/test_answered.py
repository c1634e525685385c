"""Questions with answers as a corpus: recognised, read from tables too, divided so that no context is on two sides."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gradatim.data import (
    is_answered,
    is_chosen,
    is_tagged,
    load_answered,
    load_answered_examples,
    load_chosen,
    load_chosen_examples,
)
from gradatim.data.choices import Choices, read_choices
from gradatim.data.questions import Question, read_questions
from gradatim.errors import DataError


def squad(path: Path, articles: int, paragraphs: int) -> Path:
    """Each paragraph has two questions, the second without an answer."""

    def paragraph(article: int, number: int) -> dict[str, Any]:
        context = f"Article {article}, part {number}."
        answer = {"text": f"part {number}", "answer_start": context.index("part")}
        return {
            "context": context,
            "qas": [{"question": "which part ?", "answers": [answer]}, {"question": "who ?", "answers": []}],
        }

    data = [
        {"title": f"T{i}", "paragraphs": [paragraph(i, j) for j in range(paragraphs)]}
        for i in range(articles)
    ]
    path.write_text(json.dumps({"version": "v2.0", "data": data}), encoding="utf-8")
    return path


def lines(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_no_article_is_on_two_sides(tmp_path: Path) -> None:
    corpus = load_answered(squad(tmp_path / "a.json", articles=20, paragraphs=3))
    sides = [corpus.train, corpus.dev, corpus.test]
    articles = [{pair.split(",")[0] for pair in side.pairs or ()} for side in sides if side is not None]
    assert [len(one) for one in articles] == [16, 2, 2]
    assert sum(map(len, articles)) == len(set().union(*articles))
    assert any("those on one article together" in note for note in corpus.notes)
    assert "train: 48 of 96 questions without an answer" in corpus.notes


def test_no_context_is_on_two_sides_of_few_articles(tmp_path: Path) -> None:
    corpus = load_answered(squad(tmp_path / "a.json", articles=2, paragraphs=15), seed=3)
    sides = [set(side.pairs or ()) for side in (corpus.train, corpus.dev, corpus.test) if side is not None]
    assert [len(one) for one in sides] == [24, 3, 3]
    assert sum(map(len, sides)) == len(set().union(*sides)) == 30
    assert corpus.task.kind == "span"
    assert json.loads(corpus.train.targets[0]) == [[11, 17]]


def test_given_splits_that_share_contexts_are_told_of(tmp_path: Path) -> None:
    path = squad(tmp_path / "a.json", articles=2, paragraphs=2)
    corpus = load_answered(path, dev=path)
    assert any("leak: 8 of 8 dev contexts of questions" in note for note in corpus.notes)
    examples, notes = load_answered_examples(path)
    assert len(examples) == 8
    assert "used whole" in notes[0]


def test_answers_stand_in_tables_of_many_forms(tmp_path: Path) -> None:
    context = "a cat and a cat"
    rows = [
        {"question": "q", "context": context, "answers": {"text": ["cat", "cat"], "answer_start": [2, 12]}},
        {"question": "q", "context": context, "answers": [{"text": "cat", "answer_start": 12}]},
        {"question": "q", "context": context, "answers": ["cat", "and"]},
        {"question": "q", "context": context, "answers": {"text": [], "answer_start": []}},
        {"question": "q", "context": context, "answers": None},
        {"question": "q", "context": context, "answers": json.dumps([{"text": "and"}])},
    ]
    places = [((2, 5), (12, 15)), ((12, 15),), ((2, 5), (6, 9)), (), (), ((6, 9),)]
    found = read_questions(lines(tmp_path / "a.jsonl", *rows))
    assert found == [Question("q", context, place) for place in places]
    (tmp_path / "a.csv").write_text(
        "question,context,answer,answer_start\nq,a cat and a cat,cat,12\nq,a cat and a cat,cat,\nq,a cat,,\n"
    )
    assert [one.answers for one in read_questions(tmp_path / "a.csv")] == [((12, 15),), ((2, 5),), ()]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"answers": "dog"}, "line 2: the answer 'dog' does not stand in its context"),
        ({"answers": [{"text": "cat", "answer_start": 3}]}, "line 2: .* at 3"),
        ({"answers": [{"text": "cat", "answer_start": "x"}]}, "no whole number"),
        ({"answers": {"text": ["cat"], "answer_start": [2, 3]}}, "1 answers and 2 places"),
        ({"answers": [7]}, "must be a text"),
        ({"answers": "cat", "context": None}, "question and context must be texts"),
    ],
)
def test_a_row_that_cannot_be_is_refused_by_its_line(tmp_path: Path, row: dict[str, Any], said: str) -> None:
    good = {"question": "q", "context": "a cat", "answers": "cat"}
    with pytest.raises(DataError, match=said):
        read_questions(lines(tmp_path / "a.jsonl", good, {**good, **row}))


def test_questions_without_words_are_left_out_and_counted(tmp_path: Path) -> None:
    rows = [{"question": "q", "context": f"a cat {i}", "answers": "cat"} for i in range(20)]
    path = lines(tmp_path / "a.jsonl", *rows, {"question": " ", "context": "a cat 1", "answers": []})
    corpus = load_answered(path, dev=lines(tmp_path / "b.jsonl", *rows[:3]))
    assert len(corpus.train) == 20
    assert "train: 1 question without text or context left out" in corpus.notes
    with pytest.raises(DataError, match="no question to train on has an answer"):
        load_answered(lines(tmp_path / "c.jsonl", {**rows[0], "answers": []}), dev=path)


def test_what_a_file_holds_is_recognised(tmp_path: Path) -> None:
    spans = [
        squad(tmp_path / "squad.json", 1, 1),
        lines(tmp_path / "plain.jsonl", {"id": 1, "question": "q", "context": "c", "answers": []}),
    ]
    (tmp_path / "rest.json").write_text(json.dumps([{"userInput": {"text": "a"}}], indent=4))
    (tmp_path / "dream.json").write_text(json.dumps([[["M: a"], [{"question": "q"}], "1"]], indent=2))
    (tmp_path / "swag.csv").write_text("sent1,sent2,ending0,ending1,label\na,b,c,d,0\n")
    (tmp_path / "label.csv").write_text("question,context,label\na,b,yes\n")
    (tmp_path / "records.json").write_text(json.dumps([{"text": "a", "label": "b"}]))
    for path in (*spans, tmp_path / "rest.json"):
        assert is_answered(path)
        assert not is_chosen(path)
        assert not is_tagged(path)
    for name in ("dream.json", "swag.csv"):
        assert is_chosen(tmp_path / name)
        assert not is_answered(tmp_path / name)
    for name in ("label.csv", "records.json", "absent.json"):
        assert not is_answered(tmp_path / name)
        assert not is_chosen(tmp_path / name)
    (tmp_path / "set").mkdir()
    squad(tmp_path / "set" / "train.json", 2, 2)
    assert is_answered(tmp_path / "set")


def test_choices_stand_in_tables(tmp_path: Path) -> None:
    (tmp_path / "swag.csv").write_text("sent1,sent2,ending0,ending1,label\nIt rains.,He,sings.,sleeps.,1\n")
    path = lines(
        tmp_path / "plain.jsonl",
        {"context": "It rains.", "question": "who\nsings ?", "options": ["he", "she"], "answer": "she"},
    )
    examples, _ = load_chosen_examples(tmp_path / "swag.csv")
    assert (examples.texts, examples.pairs, examples.targets.tolist()) == (
        ["It rains."], ["He\nsings.\nsleeps."], [1]
    )  # fmt: skip
    corpus = load_chosen(path, dev=tmp_path / "swag.csv")
    assert corpus.train.pairs == ["who sings ?\nhe\nshe"]
    assert corpus.train.targets.tolist() == [1]
    assert corpus.task.kind == "choice"


@pytest.mark.parametrize(
    "content",
    [
        "Context,Question,Choice_B,Choice_A,Answer\nc,q,she,he,1\n",
        "context,question,choice_a,choice_b,answer\nc,q,he,she,B\n",
        "context,question,option2,option1,option3,label\nc,q,she,he,,1.0\n",
        """context,question,choices,answer\nc,q,"['he', 'she']",1\n""",
    ],
)
def test_choices_are_numbered_by_the_names_of_their_columns(tmp_path: Path, content: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(content)
    assert is_chosen(path)
    assert read_choices(path) == [Choices("c", "q", ("he", "she"), 1)]


def test_choices_may_stand_without_a_context(tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", {"question": "who?", "choices": ["he", "she"], "answer": "she"})
    assert is_chosen(path)
    assert read_choices(path) == [Choices("who?", "", ("he", "she"), 1)]


def test_spans_are_known_by_names_in_any_case_and_read_as_data_frames_write_them(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        """Question,Context,Answers\nq,a cat,"{'text': ['cat'], 'answer_start': [2]}"\nq,a cat,[]\n"""
    )
    assert is_answered(path)
    assert [one.answers for one in read_questions(path)] == [((2, 5),), ()]
    # A column with gaps.
    path.write_text("question,context,answer,answer_start\nq,a cat,cat,2.0\nq,a cat,,\n")
    assert [one.answers for one in read_questions(path)] == [((2, 5),), ()]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"answer": "they"}, "line 1: the answer 'they' is none of"),
        ({"answer": 2}, "the answer 2 is none of"),
        ({"options": ["he"]}, "two choices at least"),
        ({"options": "he or she"}, "two choices at least"),
        ({"answer": "C"}, "the answer 'C' is none of"),
        ({"answer": 0.5}, "the answer 0.5 is none of"),
        ({"options": ["", "he", "she"], "answer": 1}, "choice 0 .* is empty"),
    ],
)
def test_a_choice_that_cannot_be_is_refused(tmp_path: Path, row: dict[str, Any], said: str) -> None:
    good = {"context": "c", "question": "q", "options": ["he", "she"], "answer": "he"}
    with pytest.raises(DataError, match=said):
        load_chosen_examples(lines(tmp_path / "a.jsonl", {**good, **row}))
