"""Texts from texts as `transformers.pipeline` had them: text2text-generation, translation, summarization."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from gradatim.pipelines.calls import Pipeline, all_read, text_of, told
from gradatim.pipelines.reader import clean, truncates
from gradatim.pipelines.searches import OPTIONS, folder_settings, merged, to_search
from gradatim.pipelines.text_to_text import TextToText

NEW_TOKENS = 256  # written at most, unless something else is said
START = 1  # a decoder begins with a token


class Text2TextGeneration(Pipeline):
    """Texts that a model writes from texts: a list of `{"generated_text": ...}`, one for each of
    `num_return_sequences`; for a list of texts a list of these, or of dictionaries where each has one.

    `defaults` are the settings of the model's folder. A text longer than the model can read is written in parts, cut
    between sentences; with `truncation` what does not fit is left out, and counted.
    """

    name: ClassVar[str] = "generated"
    more = OPTIONS

    def __init__(self, model: TextToText, defaults: Mapping[str, Any] | None = None, **options: Any) -> None:
        self.model = model
        own = defaults or {}
        begun = {"num_beams": model.beams, "max_new_tokens": NEW_TOKENS}
        self.defaults = merged(begun, folder_settings(own))
        model.prefix = own.get("prefix") or model.prefix
        super().__init__(**options)

    def __call__(self, inputs: Any, **options: Any) -> Any:
        found = super().__call__(inputs, **options)
        if isinstance(inputs, list) and all(len(several) == 1 for several in found):
            return [several[0] for several in found]
        return found

    def answers(
        self,
        inputs: Sequence[Any],
        *,
        clean_up_tokenization_spaces: bool = False,
        truncation: Any = None,
        src_lang: str | None = None,
        tgt_lang: str | None = None,
        **settings: Any,
    ) -> list[Any]:
        """A list of dictionaries for each text; a model that knows two languages takes no others."""
        texts = all_read(inputs, text_of)
        truncate = truncates(truncation)
        cut: list[int | None] = [None] * len(texts)
        settings = merged(self.defaults, settings)
        search = to_search(settings, end=self.model.end, read=START)
        if truncate:
            read = [self.model.first_part(text) for text in texts]
            texts, cut = [text for text, _ in read], [lost for _, lost in read]
            self.cut_tokens += sum(lost for _, lost in read)
        draws = settings.get("num_return_sequences", 1) if search.sample else 1
        outputs = self.model.outputs([text for text in texts for _ in range(draws)], search)
        answers = []
        for row, lost in enumerate(cut):
            several = [one.text for found in outputs[row * draws : (row + 1) * draws] for one in found]
            written = [clean(text) if clean_up_tokenization_spaces else text for text in several]
            answers.append([told({f"{self.name}_text": text}, lost) for text in written])
        return answers


class Translation(Text2TextGeneration):
    """Translations of texts: `{"translation_text": ...}`."""

    name = "translation"


class Summarization(Text2TextGeneration):
    """Summaries of texts: `{"summary_text": ...}`."""

    name = "summary"
