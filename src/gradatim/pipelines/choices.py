"""Multiple choice: a text and its possible continuations or answers in, the likeliest of them out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gradatim.errors import DataError
from gradatim.pipelines.calls import all_read, text_of, texts_of, told
from gradatim.pipelines.classification import softmax
from gradatim.pipelines.labels import RowPipeline


class MultipleChoice(RowPipeline):
    """The likeliest of `{"prompt": ..., "choices": [...]}`: `{"choice", "index", "score", "scores"}`, the last those of
    all, in the order given.
    """

    def __call__(self, inputs: Any, choices: Sequence[str] | None = None, **options: Any) -> Any:
        """The dictionary, or its two values."""
        if choices is not None:
            inputs = {"prompt": inputs, "choices": choices}
        return super().__call__(inputs, **options)

    def answers(
        self, inputs: Sequence[Any], *, truncation: Any = None, max_length: int | None = None
    ) -> list[Any]:
        """A dictionary for each prompt."""
        asked = all_read(inputs, _asked)
        prompts = [prompt for prompt, choices in asked for _ in choices]
        every = [choice for _, choices in asked for choice in choices]
        logits, cuts = self.logits(prompts, every, truncation=truncation, max_length=max_length)
        answers, first = [], 0
        for _, choices in asked:
            mine = slice(first, first + len(choices))
            first = mine.stop
            scores = softmax(logits[None, mine, 0])[0]
            best = int(scores.argmax())
            found = {
                "choice": choices[best], "index": best, "score": float(scores[best]),
                "scores": np.asarray(scores).tolist(),
            }  # fmt: skip
            cut = [lost for lost in cuts[mine] if lost is not None]
            answers.append(told(found, sum(cut) if cut else None))
        return answers


def beside(question: str, choice: str) -> str:
    """What is read beside a context: one of the answers to a question on it."""
    return f"{question} {choice}".strip()


def _asked(value: Any) -> tuple[str, list[str]]:
    if not isinstance(value, Mapping) or set(value) != {"prompt", "choices"}:
        raise DataError('a choice is asked as {"prompt": ..., "choices": [...]}')
    choices = texts_of(value["choices"], "choices")
    if not choices:
        raise DataError("choices must be a list of at least one text")
    return text_of(value["prompt"], "prompt"), choices
