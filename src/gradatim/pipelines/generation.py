"""Text generation as `transformers.pipeline` has it: prompts in, dictionaries of text out."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from gradatim.errors import DataError
from gradatim.pipelines.calls import Pipeline, all_read, text_of, told
from gradatim.pipelines.language import LanguagePipeline
from gradatim.pipelines.reader import clean, truncates
from gradatim.pipelines.searches import OPTIONS, folder_settings, merged, to_search

NEW_TOKENS = 50
DRAWN_AT = 0.7  # the temperature of draws that were not asked for by name


class TextGeneration(Pipeline):
    """Continues prompts with a language model: a list of `{"generated_text": ...}` for each prompt, one for each of
    `num_return_sequences`. What is drawn for a prompt does not depend on the others.

    Of a prompt longer than a model can read at once, its last tokens are: how many have no part in what follows is
    counted, told in the answer with `truncation`, and said as a warning without.

    Differs: nothing is drawn unless `do_sample` says so or more texts are asked for than there are beams.
    """

    more = OPTIONS

    def __init__(
        self, model: LanguagePipeline, defaults: Mapping[str, Any] | None = None, **options: Any
    ) -> None:
        self.model = model
        own = {**folder_settings(defaults or {}), "do_sample": None}
        self.defaults = merged({"max_new_tokens": NEW_TOKENS}, own)
        super().__init__(**options)

    def __call__(self, inputs: Any = None, *, text_inputs: Any = None, **options: Any) -> Any:
        """The prompts, perhaps by their name in transformers."""
        return super().__call__(inputs if text_inputs is None else text_inputs, **options)

    def answers(
        self,
        inputs: Sequence[Any],
        *,
        return_full_text: bool = True,
        clean_up_tokenization_spaces: bool = False,
        truncation: Any = None,
        **settings: Any,
    ) -> list[Any]:
        """The texts of each prompt."""
        prompts = all_read(inputs, _prompt)
        truncate = truncates(truncation)
        lost = self._unread(prompts, warn=not truncate)
        settings = merged(self.defaults, settings)
        count = settings.get("num_return_sequences", 1)
        if (
            isinstance(count, int)
            and count > settings.get("num_beams", 1) == 1
            and "do_sample" not in settings
        ):
            settings = {"temperature": DRAWN_AT, **settings, "do_sample": True}
        plain = self.model.plain(prompts)
        if "max_new_tokens" in settings:
            found = self._written(prompts, settings, count)
        else:  # lengths that count the prompt are other searches for each
            found = [self._written([prompt], settings, count)[0] for prompt in prompts]
        answers = []
        for prompt, begun, row, cut in zip(prompts, plain, found, lost, strict=True):
            texts = [text[len(begun) :] for text in row]
            if clean_up_tokenization_spaces:
                texts = [clean(text) for text in texts]
            shown = prompt if return_full_text else ""
            answer = [{"generated_text": shown + text} for text in texts]
            answers.append(told(answer, cut if truncate else None))
        return answers

    def stream(self, prompt: str, **settings: Any) -> Iterator[str]:
        """The first text that a call would give, in pieces as they are written."""
        settings = merged(self.defaults, self._known(settings))
        return self.model.stream(
            prompt, to_search(settings, end=self.model.model.end, read=self._read(prompt))
        )

    def _written(self, prompts: list[str], settings: dict[str, Any], count: int) -> list[list[str]]:
        read = self._read(prompts[0]) if prompts else 0
        search = to_search(settings, end=self.model.model.end, read=read)
        if search.beams == 1:
            search = replace(search, best=1)
        return self.model.generate(prompts, search, count=count // search.best)

    def _unread(self, prompts: Sequence[str], *, warn: bool) -> list[int]:
        """Of each prompt how many tokens have no part in what follows it; counted, and perhaps said."""
        lost = [self.model.unread(prompt) for prompt in prompts]
        self.cut_tokens += sum(lost)
        if warn and any(lost):
            logging.getLogger("gradatim").warning(
                "the model reads no more than the end of a prompt: %d tokens before it have no part in what follows",
                sum(lost),
            )
        return lost

    def _read(self, prompt: str) -> int:
        """How many tokens a prompt has."""
        return len(self.model.tokens(prompt))


def _prompt(value: Any) -> str:
    if isinstance(value, Mapping | list):
        raise DataError(
            "a prompt is a text: put the messages of a chat into one, as the model was trained to read them"
        )
    return text_of(value)
