"""Questions with their answers, spans of a context or one of several choices, as a corpus to climb on."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from gradatim.data.choices import SUFFIXES as CHOICE_SUFFIXES
from gradatim.data.choices import Choices, looks_chosen, read_choices
from gradatim.data.corpus import assembled
from gradatim.data.divided import Form, divided, looks, name_of, one_split
from gradatim.data.questions import SUFFIXES, Question, looks_asked, read_questions
from gradatim.data.source import PathLike
from gradatim.data.splits import content_key
from gradatim.errors import DataError
from gradatim.types import Corpus, Examples, Task
from gradatim.wording import count

ARTICLES = 10  # from which splits are made by article


def _contexts(questions: Sequence[Question] | Sequence[Choices]) -> list[bytes]:
    return [content_key(question.context, None) for question in questions]


def _together(questions: Sequence[Question]) -> tuple[list[bytes], str]:
    """By article where there are enough of them, else by context."""
    articles = [question.article for question in questions]
    if "" in articles or len({*articles}) < ARTICLES:
        return _contexts(questions), "those on one context"
    return [content_key(article, None) for article in articles], "those on one article"


SPANS = Form(read_questions, SUFFIXES, "questions", "contexts of questions", _contexts, _together)


CHOICES = Form(
    read_choices,
    CHOICE_SUFFIXES,
    "questions",
    "contexts of questions",
    _contexts,
    lambda questions: (_contexts(questions), "those on one context"),
)


def is_answered(source: PathLike) -> bool:
    """Whether a source holds questions whose answers are spans of a context, without being told so."""
    return looks(source, looks_asked)


def load_answered(
    source: PathLike, *, dev: PathLike | None = None, test: PathLike | None = None, seed: int = 0
) -> Corpus:
    """Questions on contexts of a file, a folder with train, dev and test, or a set under `GRADATIM_DATA`.

    A missing dev is made from train (10 %), of a single file dev and test are (80/10/10); what is asked on one context,
    of ten articles or more on one article, stays together. Raises DataError for what cannot be used.
    """
    splits, notes = divided(source, SPANS, dev=dev, test=test, seed=seed)
    examples: dict[str, Examples] = {}
    for split, questions in splits.items():
        examples[split], said = span_examples(questions, f"{split}: ")
        notes += said
        none = sum(not question.answers for question in questions)
        if none:
            notes.append(f"{split}: {none:,} of {count(len(questions), 'question')} without an answer")
    if not any(map(_answers, examples["train"].targets)):
        raise DataError(f"{source}: no question to train on has an answer")
    return assembled(name_of(source), Task((), pairs=True, kind="span"), examples, notes)


def is_chosen(source: PathLike) -> bool:
    """Whether a source holds questions with several answers to choose from, without being told so."""
    return looks(source, looks_chosen)


def load_chosen(
    source: PathLike, *, dev: PathLike | None = None, test: PathLike | None = None, seed: int = 0
) -> Corpus:
    """Questions with choices, divided as `load_answered` divides others."""
    splits, notes = divided(source, CHOICES, dev=dev, test=test, seed=seed)
    examples = {split: choice_examples(questions) for split, questions in splits.items()}
    counts = sorted({len(one.choices) for questions in splits.values() for one in questions})
    notes.append(f"{' or '.join(map(str, counts))} choices for each question")
    return assembled(name_of(source), Task((), pairs=True, kind="choice"), examples, notes)


def load_chosen_examples(source: PathLike, split: str = "test") -> tuple[Examples, tuple[str, ...]]:
    """Questions to evaluate a model on, and a note on which: as `load_examples` chooses."""
    questions, note = one_split(source, CHOICES, split)
    return choice_examples(questions), (note,)


def choice_examples(questions: Sequence[Choices]) -> Examples:
    """Questions with choices as examples: contexts, and beside each the question and its choices, a line each."""
    return Examples(
        [one.context for one in questions],
        [lined(one.question, one.choices) for one in questions],
        np.array([one.answer for one in questions], dtype=np.int64),
    )


def lined(question: str, choices: Sequence[str]) -> str:
    """A question and its choices, a line each."""
    return "\n".join(" ".join(part.split()) for part in (question, *choices))


def load_answered_examples(source: PathLike, split: str = "test") -> tuple[Examples, tuple[str, ...]]:
    """Questions to evaluate a model on, and notes: as `load_examples` chooses."""
    questions, note = one_split(source, SPANS, split)
    examples, said = span_examples(questions)
    return examples, (note, *said)


def span_examples(questions: Sequence[Question], where: str = "") -> tuple[Examples, list[str]]:
    """Questions as examples, and a note on those that are left out: without question, or without context."""
    kept = [one for one in questions if one.question.strip() and one.context.strip()]
    if not kept:
        raise DataError(f"{where}no question has a text and a context")
    targets = np.empty(len(kept), dtype=object)
    targets[:] = [json.dumps(one.answers) for one in kept]
    lost = len(questions) - len(kept)
    notes = [f"{where}{count(lost, 'question')} without text or context left out"] if lost else []
    return Examples([one.question for one in kept], [one.context for one in kept], targets), notes


def _answers(target: str) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = json.loads(target)
    return found
