"""Questions with several answers to choose from, in the format of DREAM."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gradatim.data.annotated import read_json
from gradatim.errors import DataError


@dataclass(frozen=True, slots=True)
class Choices:
    """A question on a context, the answers offered, and which of them (from 0) is right."""

    context: str
    question: str
    choices: tuple[str, ...]
    answer: int


def read_choices(path: Path) -> list[Choices]:
    """The questions of a JSON file as DREAM has it: a list of [turns, [{question, choice, answer}, ...], id].

    The turns of a dialogue become the lines of the context. Raises DataError with file and item for what
    is not so written and for an answer that is not among the choices.
    """
    found = []
    for number, item in enumerate(read_json(path), 1):
        where = f"{path}, item {number}"
        try:
            turns, rows = item[0], item[1]
            for row in rows:
                choices = tuple(row["choice"])
                if row["answer"] not in choices:
                    raise DataError(f"{where}: the answer {row['answer']!r} is none of {list(choices)}")
                answer = choices.index(row["answer"])
                found.append(Choices("\n".join(turns), row["question"], choices, answer))
        except (KeyError, TypeError, IndexError) as error:
            raise DataError(
                f"{where} is not [turns, [{{question, choice, answer}}, ...], id] "
                f"({type(error).__name__}: {error})"
            ) from error
    if not found:
        raise DataError(f"{path} holds no questions")
    return found
