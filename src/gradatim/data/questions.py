"""Questions whose answers are spans of a context: SQuAD, SubjQA, Restaurant-8k and plain tables read alike."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gradatim.data.annotated import read_json
from gradatim.data.columns import find_column
from gradatim.data.literal import read_literal
from gradatim.data.tables import Table, open_table
from gradatim.data.textfile import decompressed, open_text
from gradatim.errors import DataError

SLOTS = ("people", "date", "time", "first_name", "last_name")  # of Restaurant-8k
SUBJQA = ("q_review_id", "question", "review", "human_ans_indices", "human_ans_spans")
TABLES = (".csv", ".tsv", ".tab", ".jsonl", ".ndjson", ".parquet")
SUFFIXES = (".json", *TABLES)
START = "answer_start"
PLAIN = (("question",), ("context",), ("answers", "answer"))  # columns of a plain table
_NOT_FOUND = "ANSWERNOTFOUND"
_JSON = re.compile(r'"(paragraphs|userInput)"\s*:')
_HEAD = 1 << 16  # characters of a JSON file that tell what it is


@dataclass(frozen=True, slots=True)
class Question:
    """A question on a context and its annotated answers, (start, end) in the context; none if it has none.

    `article` is what the context is a part of, where that is known.
    """

    question: str
    context: str
    answers: tuple[tuple[int, int], ...]
    article: str = ""

    @property
    def texts(self) -> list[str]:
        """The annotated answers as they stand in the context."""
        return [self.context[start:end] for start, end in self.answers]


def read_questions(path: Path) -> list[Question]:
    """The questions of a file: JSON in the format of SQuAD or of Restaurant-8k, a table of SubjQA, or any with the
    columns question, context and answers: the texts of these, which may say where they start, none if there is none.

    Of Restaurant-8k each of the five slots is a question on each utterance, marked where it was asked for;
    of SubjQA the annotations of one question are joined, and the mark ANSWERNOTFOUND at the end of a
    review is no part of it. Raises DataError with file and row for an answer that its context has not.
    """
    if decompressed(path).suffix.lower() in TABLES:
        table = open_table(path)
        found = list(_subjqa(table) if SUBJQA[0] in table.columns else _plain(table))
    else:
        content = read_json(path)
        try:
            found = list(_squad(content, path) if isinstance(content, dict) else _restaurant8k(content))
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


def looks_asked(path: Path) -> bool:
    """Whether a file holds such questions, as far as the beginning of its JSON or the names of its columns tell."""
    suffix = decompressed(path).suffix.lower()
    if suffix == ".json":
        with open_text(path) as stream:
            return _JSON.search(stream.read(_HEAD)) is not None
    if suffix not in TABLES:
        return False
    table = open_table(path)
    return {*SUBJQA} <= {*table.columns} or None not in [find_column(table, names) for names in PLAIN]


def _squad(content: Mapping[str, Any], path: Path) -> Iterator[Question]:
    for article in content["data"]:
        for paragraph in article["paragraphs"]:
            context = paragraph["context"]
            for row in paragraph["qas"]:
                where = f"{path}, question {row['question']!r:.200} of article {article.get('title', '')!r}"
                if "answers" not in row:
                    raise DataError(f"{where}: it has no answers; where there is none write an empty list")
                spans = tuple(_span(context, *one, where) for one in _stated(row["answers"], None, where))
                yield Question(row["question"], context, spans, article.get("title", ""))


def _restaurant8k(content: list[Mapping[str, Any]]) -> Iterator[Question]:
    for row in content:
        spans = {label["slot"]: label["valueSpan"] for label in row.get("labels", ())}
        asked = row.get("context", {}).get("requestedSlots", ())
        for slot in SLOTS:
            question = f"{'requested ' * (slot in asked)}{slot.replace('_', ' ')}"
            answers = [(spans[slot].get("startIndex", 0), spans[slot]["endIndex"])] if slot in spans else []
            yield Question(question, row["userInput"]["text"], tuple(answers))


def _subjqa(table: Table) -> Iterator[Question]:
    places = _places(table, [(name,) for name in SUBJQA])
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
                    f"{table.where}, line {line}: human_ans_indices {indices!r} is not (start, end)"
                ) from error
            end = min(end, len(contents[key][1]))  # some annotations take the mark in
            if start < end:
                spans.append((start, end))
    for key, (question, review) in contents.items():
        yield Question(question, review, tuple(dict.fromkeys(answers[key])))


def _plain(table: Table) -> Iterator[Question]:
    places = _places(table, PLAIN)
    start = find_column(table, [START])
    for line, cells in table.scan():
        question, context, answers = (cells[i] for i in places)
        where = f"{table.where}, line {line}"
        if not isinstance(question, str) or not isinstance(context, str):
            raise DataError(f"{where}: question and context must be texts")
        found = _stated(answers, None if start is None else cells[start], where)
        yield Question(question, context, tuple(_span(context, *one, where) for one in found))


def _stated(cell: Any, start: Any, where: str) -> Iterator[tuple[str, int | None]]:
    """The answers of a cell and where they start, if that is said: a text, a list of texts or of objects, or an object
    of two lists, {"text": [...], "answer_start": [...]}; also written out as text.
    """
    cell = read_literal(cell)
    if isinstance(cell, Mapping) and isinstance(cell.get("text"), list):
        starts = cell.get(START) or [None] * len(cell["text"])
        if len(starts) != len(cell["text"]):
            raise DataError(f"{where}: {len(cell['text'])} answers and {len(starts)} places where they start")
        cell = [{"text": text, START: at} for text, at in zip(cell["text"], starts, strict=True)]
    for one in cell if isinstance(cell, list) else [{"text": cell, START: start}]:
        text, at = (one.get("text"), one.get(START)) if isinstance(one, Mapping) else (one, None)
        if text is None or text == "":
            continue
        if not isinstance(text, str):
            raise DataError(f"{where}: an answer must be a text, not {text!r:.60}")
        try:
            number = None if at in (None, "") else float(at)
        except (TypeError, ValueError):
            number = math.nan
        if number is not None and not number.is_integer():
            raise DataError(f"{where}: {START} {at!r} is no whole number")
        yield text, None if number is None else int(number)


def _span(context: str, text: str, start: int | None, where: str) -> tuple[int, int]:
    """Where an answer stands: where it is said to, else where it does first."""
    first = context.find(text)
    at = first if start is None else start
    if at < 0 or not context.startswith(text, at):
        place = f" at {start}" * (start is not None) + f", but at {first}" * (first >= 0)
        advice = " (labelled texts are read as such where text and label are named)" * (start is None)
        raise DataError(f"{where}: the answer {text!r:.60} does not stand in its context{place}{advice}")
    return at, at + len(text)


def _places(table: Table, wanted: Sequence[Sequence[str]]) -> list[int]:
    found = [find_column(table, names) for names in wanted]
    if None in found:
        raise DataError(
            f"{table.where} has no column {wanted[found.index(None)][0]!r}; a table of questions has question, context "
            "and answers, or is as SubjQA has it"
        )
    return [at for at in found if at is not None]
