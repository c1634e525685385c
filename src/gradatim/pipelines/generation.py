"""Text generation as `transformers.pipeline` has it: prompts in, dictionaries of text out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from gradatim.decode.search import Search
from gradatim.pipelines.language import LanguagePipeline


class TextGeneration:
    """Continues prompts with a language model; `settings` are those of `search`."""

    def __init__(self, model: LanguagePipeline, defaults: Any = None) -> None:
        self.model = model

    def __call__(
        self,
        prompts: str | Sequence[str],
        *,
        num_return_sequences: int = 1,
        return_full_text: bool = True,
        **settings: Any,
    ) -> Any:
        """A string gives a list of `{"generated_text": ...}`, one for each of `num_return_sequences`; a list of strings
        a list of such lists. What is drawn for a prompt does not depend on the others.
        """
        search = self.search(**settings, best=num_return_sequences if settings.get("num_beams", 1) > 1 else 1)
        texts = [prompts] if isinstance(prompts, str) else list(prompts)
        found = self.model.generate(texts, search, count=num_return_sequences // search.best)
        begins = [0 if return_full_text else len(text) for text in self.model.plain(texts)]
        several = [
            [{"generated_text": text[begin:]} for text in row]
            for begin, row in zip(begins, found, strict=True)
        ]
        return several[0] if isinstance(prompts, str) else several

    def stream(self, prompt: str, **settings: Any) -> Iterator[str]:
        """The first text that a call would give, in pieces as they are written."""
        return self.model.stream(prompt, self.search(**settings))

    def search(
        self,
        *,
        max_new_tokens: int = 50,
        do_sample: bool = False,
        num_beams: int = 1,
        temperature: float = 1.0,
        top_k: int = 50,
        top_p: float = 1.0,
        repetition_penalty: float = 1.0,
        no_repeat_ngram_size: int = 0,
        seed: int = 0,
        best: int = 1,
    ) -> Search:
        """The search that these names of transformers' stand for."""
        return Search(
            end=self.model.model.end, max_length=max_new_tokens, sample=do_sample, beams=num_beams, best=best,
            temperature=temperature, top_k=top_k, top_p=top_p, repetition=repetition_penalty,
            no_repeat=no_repeat_ngram_size, seed=seed,
        )  # fmt: skip
