"""Questions whose answers are spans of a context: SQuAD, SubjQA and Restaurant-8k read alike."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gradatim.data.annotated import read_json
from gradatim.data.tables import open_table
from gradatim.data.textfile import decompressed
from gradatim.errors import DataError

SLOTS = ("people", "date", "time", "first_name", "last_name")  # of Restaurant-8k
_NOT_FOUND = "ANSWERNOTFOUND"


@dataclass(frozen=True, slots=True)
class Question:
    """A question on a context and its annotated answers, (start, end) in the context; none if it has none."""

    question: str
    context: str
    answers: tuple[tuple[int, int], ...]

    @property
    def texts(self) -> list[str]:
        """The annotated answers as they stand in the context."""
        return [self.context[start:end] for start, end in self.answers]


def read_questions(path: Path) -> list[Question]:
    """The questions of a file: JSON in the format of SQuAD or of Restaurant-8k, or a table of SubjQA.

    Of Restaurant-8k each of the five slots is a question on each utterance, marked where it was asked for;
    of SubjQA the annotations of one question are joined, and the mark ANSWERNOTFOUND at the end of a
    review is no part of it. Raises DataError with file and row for an answer that its context has not.
    """
    if decompressed(path).suffix.lower() == ".csv":
        found = list(_subjqa(path))
    else:
        content = read_json(path)
        try:
            found = list(_squad(content) if isinstance(content, dict) else _restaurant8k(content))
        except (KeyError, TypeError, AttributeError) as error:
            raise DataError(
                f"{path} is JSON neither as SQuAD nor as Restaurant-8k has it ({type(error).__name__}: {error})"
            ) from error
    if not found:
        raise DataError(f"{path} holds no questions")
    for number, question in enumerate(found, 1):
        if any(not 0 <= start < end <= len(question.context) for start, end in question.answers):
            raise DataError(
                f"{path}, question {number} ({question.question!r}): the answers {question.answers} do not lie "
                f"in its context of {len(question.context)} characters"
            )
    return found


def _squad(content: Mapping[str, Any]) -> Iterator[Question]:
    for article in content["data"]:
        for paragraph in article["paragraphs"]:
            context = paragraph["context"]
            for row in paragraph["qas"]:
                spans = [(a["answer_start"], a["answer_start"] + len(a["text"])) for a in row["answers"]]
                yield Question(row["question"], context, tuple(spans))


def _restaurant8k(content: list[Mapping[str, Any]]) -> Iterator[Question]:
    for row in content:
        spans = {label["slot"]: label["valueSpan"] for label in row.get("labels", ())}
        asked = row.get("context", {}).get("requestedSlots", ())
        for slot in SLOTS:
            question = f"{'requested ' * (slot in asked)}{slot.replace('_', ' ')}"
            answers = [(spans[slot].get("startIndex", 0), spans[slot]["endIndex"])] if slot in spans else []
            yield Question(question, row["userInput"]["text"], tuple(answers))


def _subjqa(path: Path) -> Iterator[Question]:
    table = open_table(path)
    wanted = ("q_review_id", "question", "review", "human_ans_indices", "human_ans_spans")
    if missing := [name for name in wanted if name not in table.columns]:
        raise DataError(f"{path} has no column {missing[0]!r}; a table of questions is read as SubjQA has it")
    places = [table.columns.index(name) for name in wanted]
    contents: dict[str, tuple[str, str]] = {}
    answers: dict[str, list[tuple[int, int]]] = {}
    for line, cells in table.scan():
        key, question, review, indices, said = (cells[i] for i in places)
        contents[key] = question, review.removesuffix(_NOT_FOUND).rstrip()
        spans = answers.setdefault(key, [])
        if said != _NOT_FOUND:
            try:
                start, end = ast.literal_eval(indices)
            except (ValueError, SyntaxError, TypeError) as error:
                raise DataError(
                    f"{path}, line {line}: human_ans_indices {indices!r} is not (start, end)"
                ) from error
            end = min(end, len(contents[key][1]))  # some annotations take the mark in
            if start < end:
                spans.append((start, end))
    for key, (question, review) in contents.items():
        yield Question(question, review, tuple(dict.fromkeys(answers[key])))
