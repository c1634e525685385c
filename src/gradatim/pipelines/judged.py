"""Models that answer questions as metrics and commands ask them: in rows of a text and what goes with it."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import repeat

import numpy as np

from gradatim.errors import DataError
from gradatim.pipelines.answers import QuestionAnswering
from gradatim.pipelines.choices import MultipleChoice, beside
from gradatim.pipelines.classification import portions
from gradatim.pipelines.spans import Answer, Found, best_answers
from gradatim.pipelines.squad import answer_f1, exact_match
from gradatim.types import Array, Encoded, Examples

Row = tuple[str, str | None]


class Judged(ABC):
    """A model with its rows: one of them, an endless supply, or all of a metric's."""

    def __call__(self, text: str, pair: str) -> Found:
        """What is found for one row."""
        return next(self.stream([(text, pair)]))

    @abstractmethod
    def stream(self, rows: Iterable[Row]) -> Iterator[Found]:
        """What is found for each row."""

    @abstractmethod
    def answers(self, texts: Sequence[str], pairs: Sequence[str] | None) -> dict[str, Array]:
        """The same of all rows, an array of each kind."""


class SpanRows(Judged):
    """Rows of a question and its context, to the answer with its place there."""

    def __init__(self, ask: QuestionAnswering) -> None:
        self.ask = ask

    def stream(self, rows: Iterable[Row]) -> Iterator[Found]:
        for portion in portions(rows):
            yield from self.ask.each([{"question": text, "context": _second(pair)} for text, pair in portion])

    def answers(self, texts: Sequence[str], pairs: Sequence[str] | None) -> dict[str, Array]:
        """`starts` and `ends` (n,) of the answers in their contexts, equal where there is none, and their `scores`."""
        found = list(self.stream(_rows(texts, pairs)))
        names = {"starts": "start", "ends": "end", "scores": "score"}
        arrays = {name: np.array([one[key] for one in found]) for name, key in names.items()}
        return {**arrays, "cut_tokens": np.array(0)}

    def logits(self, examples: Examples) -> tuple[Array, Encoded]:
        """Those of all tokens, and the tokens."""
        encoded = self.ask.asked(examples.texts, examples.pairs or ())[0]
        return self.ask.run(encoded)["logits"], encoded

    def spans(self, logits: Array, encoded: Encoded, contexts: Sequence[str]) -> list[Answer]:
        """The likeliest answers whether or not they would be said."""
        return best_answers(logits, encoded, contexts, longest=self.ask.longest)


class ChoiceRows(Judged):
    """Rows of a context, and beside it a question and its choices, a line each, to the likeliest of these: its number,
    its score, and the scores of all.
    """

    def __init__(self, choose: MultipleChoice) -> None:
        self.choose = choose

    def stream(self, rows: Iterable[Row]) -> Iterator[Found]:
        for portion in portions(rows):
            asked = [asked_choices(_second(pair)) for _, pair in portion]
            prompts = [
                {"prompt": text, "choices": [beside(question, one) for one in choices]}
                for (text, _), (question, choices) in zip(portion, asked, strict=True)
            ]
            for found, (_, choices) in zip(self.choose.each(prompts), asked, strict=True):
                yield {**found, "choice": choices[found["index"]]}

    def answers(self, texts: Sequence[str], pairs: Sequence[str] | None) -> dict[str, Array]:
        """`chosen` (n,), the numbers of the choices, and their `scores`."""
        found = list(self.stream(_rows(texts, pairs)))
        arrays = {"chosen": np.array([one["index"] for one in found], dtype=np.int64)}
        return {**arrays, "scores": np.array([one["score"] for one in found]), "cut_tokens": np.array(0)}

    def logits(self, examples: Examples) -> Array:
        """Those of all choices of all questions, (choices, 1)."""
        texts, pairs, _ = each_choice(examples)
        return self.choose.logits(texts, pairs)[0]


def asked_choices(pair: str) -> tuple[str, list[str]]:
    """A question and its choices."""
    question, *choices = pair.split("\n")
    if not choices:
        raise DataError(f"a question and its choices are needed, a line each, not only {question!r:.60}")
    return question, choices


def each_choice(examples: Examples) -> tuple[list[str], list[str], Array]:
    """Every choice beside its context, question by question, and how many each question has."""
    asked = list(map(asked_choices, examples.pairs or ()))
    counts = np.array([len(choices) for _, choices in asked], dtype=np.int64)
    texts = [text for text, count in zip(examples.texts, counts, strict=True) for _ in range(count)]
    return texts, [beside(question, choice) for question, choices in asked for choice in choices], counts


def choice_scores(examples: Examples, answers: Mapping[str, Array]) -> Array:
    """Whether each choice is right, 1 or 0."""
    right: Array = (answers["chosen"] == examples.targets).astype(np.float64)
    return right


def choice_metrics(examples: Examples, answers: Mapping[str, Array]) -> dict[str, float]:
    """The share of questions for which the right answer is chosen."""
    return {"accuracy": float(choice_scores(examples, answers).mean())}


def wanted_spans(examples: Examples) -> list[list[tuple[int, int]]]:
    """Where the annotated answers stand in their contexts."""
    return [[(start, end) for start, end in json.loads(target)] for target in examples.targets]


def span_scores(examples: Examples, answers: Mapping[str, Array]) -> dict[str, Array]:
    """Of each question: `f1`, `exact_match`, and whether it is `answerable` (Rajpurkar et al. 2018)."""
    contexts = examples.pairs or ()
    places = zip(answers["starts"].tolist(), answers["ends"].tolist(), strict=True)
    said = [context[start:end] for context, (start, end) in zip(contexts, places, strict=True)]
    wanted = wanted_spans(examples)
    texts = [[one[a:b] for a, b in spans] for one, spans in zip(contexts, wanted, strict=True)]
    measures: dict[str, Callable[[str, Sequence[str]], float]] = {"f1": answer_f1, "exact_match": exact_match}
    found = {
        name: np.array([measure(*pair) for pair in zip(said, texts, strict=True)])
        for name, measure in measures.items()
    }
    return {**found, "answerable": np.array([bool(spans) for spans in wanted])}


def span_metrics(examples: Examples, answers: Mapping[str, Array]) -> dict[str, float]:
    """Means of all: F1 and exact match, and where some have no answer also F1 of those that have one (`answered_f1`),
    and the share of the others that get none (`no_answer`).
    """
    rows = span_scores(examples, answers)
    answerable = rows.pop("answerable")
    means = {name: float(values.mean()) for name, values in rows.items()}
    if answerable.all():
        return means
    answered = {"answered_f1": float(rows["f1"][answerable].mean())} if answerable.any() else {}
    return {**means, **answered, "no_answer": float(rows["f1"][~answerable].mean())}


def _second(pair: str | None) -> str:
    if pair is None:
        raise DataError("this model reads pairs of texts: a question and its context")
    return pair


def _rows(texts: Sequence[str], pairs: Sequence[str] | None) -> Iterator[Row]:
    return zip(texts, repeat(None) if pairs is None else pairs, strict=pairs is not None)
