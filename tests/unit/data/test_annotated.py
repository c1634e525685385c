"""Readers of tagged sentences, questions, choices and scored texts, on files written here."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradatim.data.annotated import SETS, annotated_files
from gradatim.data.choices import Choices, read_choices
from gradatim.data.questions import Question, read_questions
from gradatim.data.scored import load_scored
from gradatim.data.tagged import Sentence, read_tagged, to_iob2
from gradatim.errors import DataError

CONLL = """-DOCSTART- -X- O O

EU NNP I-NP I-ORG
rejects VBZ I-VP O
German JJ I-NP I-MISC
British JJ I-NP B-MISC

-DOCSTART- -X- O O
Peter NNP I-NP I-PER
"""


def write(path: Path, content: Any) -> Path:
    text = content if isinstance(content, str) else json.dumps(content)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def test_sentences_have_documents_and_tags_in_iob2(tmp_path: Path) -> None:
    assert read_tagged(write(tmp_path / "a.txt.gz", CONLL)) == [
        Sentence(("EU", "rejects", "German", "British"), ("B-ORG", "O", "B-MISC", "B-MISC"), 1),
        Sentence(("Peter",), ("B-PER",), 2),
    ]


def test_parts_of_speech_of_conllu_are_those_of_syntactic_words(tmp_path: Path) -> None:
    rest = "\t_" * 6
    text = (
        "# newdoc id = a\n# text = don't go\n"
        f"1-2\tdon't\t_\t_{rest}\n1\tdo\tdo\tAUX{rest}\n2\tn't\tnot\tPART{rest}\n3\tgo\tgo\tVERB{rest}\n"
        f"3.1\tgone\tgo\tVERB{rest}\n\n# newdoc id = b\n1\t#\t#\tSYM{rest}\n"
    )
    assert read_tagged(write(tmp_path / "a.conllu.gz", text)) == [
        Sentence(("do", "n't", "go"), ("AUX", "PART", "VERB"), 1),
        Sentence(("#",), ("SYM",), 2),
    ]
    with pytest.raises(DataError, match="line 2: not 10 columns"):
        read_tagged(write(tmp_path / "b.conllu", f"1\tgo\tgo\tVERB{rest}\n2\tgo\tVERB\n"))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("EU I-ORG\nrejects\n", r"line 2: 'rejects' has no tag"),
        ("EU\tORG\n", "line 1: the tag 'ORG'"),
        ("\n\n", "no sent"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, content: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read_tagged(write(tmp_path / "a.txt", content))


@given(st.lists(st.sampled_from(["O", "B-A", "I-A", "B-B", "I-B"])))
def test_iob2_begins_every_entity_and_stays_itself(tags: list[str]) -> None:
    once = to_iob2(tags)
    assert to_iob2(once) == once
    for before, tag in zip(["O", *once], once, strict=False):
        assert tag[:2] != "I-" or before[2:] == tag[2:]
    assert [tag[2:] for tag in once] == [tag[2:] for tag in tags]
    assert all(new == old for new, old in zip(once, tags, strict=True) if old[:2] != "I-")


def test_squad_questions(tmp_path: Path) -> None:
    rows = [
        {
            "question": "who",
            "answers": [{"answer_start": 4, "text": "cat"}, {"answer_start": 0, "text": "the cat"}],
        },
        {"question": "why", "answers": []},
    ]
    path = write(tmp_path / "a.json", {"data": [{"paragraphs": [{"context": "the cat sat", "qas": rows}]}]})
    first, second = read_questions(path)
    assert first == Question("who", "the cat sat", ((4, 7), (0, 7)))
    assert first.texts == ["cat", "the cat"]
    assert second.answers == ()


def test_restaurant_slots_are_questions(tmp_path: Path) -> None:
    people = {"slot": "people", "valueSpan": {"endIndex": 2}}
    time = {"slot": "time", "valueSpan": {"startIndex": 12, "endIndex": 13}}
    row = {
        "userInput": {"text": "13 of us at 8"},
        "context": {"requestedSlots": ["people"]},
        "labels": [people, time],
    }
    found = {q.question: q.texts for q in read_questions(write(tmp_path / "a.json.gz", [row]))}
    assert found == {"requested people": ["13"], "date": [], "time": ["8"], "first name": [], "last name": []}


def test_annotations_of_one_review_question_are_joined(tmp_path: Path) -> None:
    header = "q_review_id,question,review,human_ans_spans,human_ans_indices\n"
    review = '"good food, bad wine. ANSWERNOTFOUND"'
    rows = [
        f'1,how is it?,{review},good food,"(0, 9)"', f'1,how is it?,{review},ANSWERNOTFOUND,"(21, 35)"',
        f'1,how is it?,{review},bad wine,"(11, 19)"', f'2,how are you?,{review},ANSWERNOTFOUND,"(21, 35)"',
    ]  # fmt: skip
    first, second = read_questions(write(tmp_path / "a.csv", header + "\n".join(rows) + "\n"))
    assert first == Question("how is it?", "good food, bad wine.", ((0, 9), (11, 19)))
    assert second.answers == ()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"answer_start": 3, "text": "cat"}, "'cat' does not stand in its context at 3, but at 4"),
        ({"answer_start": -1, "text": "cat"}, "does not stand in its context at -1"),
        ({"answer_start": 4.5, "text": "cat"}, "no whole number"),
        ({"answer_start": 4, "text": 7}, "must be a text"),
    ],
)
def test_a_squad_answer_stands_where_it_is_said_to(tmp_path: Path, answer: dict[str, Any], said: str) -> None:
    def content(one: dict[str, Any]) -> dict[str, Any]:
        rows = [{"question": "who", "answers": [one]}]
        return {"data": [{"title": "Pets", "paragraphs": [{"context": "the cat sat", "qas": rows}]}]}

    with pytest.raises(DataError, match=f"question 'who' of article 'Pets': .*{said}"):
        read_questions(write(tmp_path / "a.json", content(answer)))
    for good in ({"answer_start": "4", "text": "cat"}, {"text": "cat"}):
        assert read_questions(write(tmp_path / "a.json", content(good)))[0].answers == ((4, 7),)


def test_a_squad_question_that_says_nothing_of_answers_is_refused(tmp_path: Path) -> None:
    content = {"data": [{"paragraphs": [{"context": "the cat sat", "qas": [{"question": "who"}]}]}]}
    with pytest.raises(DataError, match=r"'who' .*has no answers"):
        read_questions(write(tmp_path / "a.json", content))


OUTSIDE = {"question": "q", "answers": [{"answer_start": 1, "text": "bc"}]}


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.json", "{", "not valid JSON"),
        ("a.json", {"rows": []}, r"KeyError: 'data'"),
        ("a.json", [{"text": "x"}], "neither as SQuAD nor as Restaurant-8k"),
        ("a.json", {"data": []}, "no questions"),
        ("a.csv", "question,review\na,b\n", "no column 'context'"),
        (
            "a.json",
            {"data": [{"paragraphs": [{"context": "ab", "qas": [OUTSIDE]}]}]},
            r"question 'q' .*does not stand in its context at 1",
        ),
    ],
)
def test_what_is_no_set_of_questions_is_refused(tmp_path: Path, name: str, content: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read_questions(write(tmp_path / name, content))


def test_choices_of_a_dialogue(tmp_path: Path) -> None:
    rows = [{"question": "q", "choice": ["x", "y"], "answer": "y"}]
    path = write(tmp_path / "a.json", [[["M: a", "W: b"], rows, "1"]])
    assert read_choices(path) == [Choices("M: a\nW: b", "q", ("x", "y"), 1)]
    rows[0]["answer"] = "z"
    with pytest.raises(DataError, match=r"a\.json, item 1: the answer 'z' is none of"):
        read_choices(write(path, [[["M: a", "W: b"], rows, "1"]]))
    with pytest.raises(DataError, match="item 1 is not"):
        read_choices(write(path, [{"question": "q"}]))


def test_scored_pairs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("datasets")
    monkeypatch.setenv("GRADATIM_CACHE", str(tmp_path / "cache"))
    lines = [f"one {i},other {i},{i / 4}" for i in range(20)]
    path = write(tmp_path / "a.csv", "sentence1,sentence2,score\n" + "\n".join(lines) + "\n")
    train, dev, notes = load_scored(path)
    assert (len(train), len(dev)) == (18, 2)
    assert "held out" in notes[-1]
    for part in (train, dev):
        assert part.scores.dtype == np.float32
        for text, pair, score in zip(part.texts, part.pairs or (), part.scores, strict=True):
            assert text.split()[1] == pair.split()[1] == str(int(score * 4))
    write(path, "sentence1,sentence2,score\na,b,1.5\nc,d,high\n")
    with pytest.raises(DataError, match=r"a\.csv, line 3: the score \"high\" is not a number"):
        load_scored(path)


def test_names_and_their_splits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADATIM_DATA", str(tmp_path))
    with pytest.raises(DataError, match=r"no such file: .*dream/train\.json\.gz"):
        annotated_files("dream")
    for files in SETS.values():
        for file in (file for several in files.values() for file in several):
            (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / file).touch()
    assert set(annotated_files("dream")) == {"train", "dev", "test"}
    assert annotated_files("dream/test") == {"train": [tmp_path / "dream/test.json.gz"]}
    assert set(annotated_files("squad/v1.1")) == {"dev"}
    assert annotated_files(str(tmp_path / "dream/dev.json.gz")) == {"train": [tmp_path / "dream/dev.json.gz"]}
    with pytest.raises(DataError, match="did you mean 'dream'"):
        annotated_files("dreams")
    monkeypatch.delenv("GRADATIM_DATA")
    with pytest.raises(DataError, match="GRADATIM_DATA, which is not set"):
        annotated_files("dream")
