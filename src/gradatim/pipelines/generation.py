"""Text generation as `transformers.pipeline` has it: prompts in, dictionaries of text out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gradatim.errors import ConfigError
from gradatim.pipelines.language import LanguagePipeline

Generated = list[dict[str, str]]


class TextGeneration:
    """Continues prompts with a language model.

    A string gives a list of `{"generated_text": ...}`, one for each of `num_return_sequences`; a list of strings a list
    of such lists.
    """

    def __init__(self, model: LanguagePipeline) -> None:
        self.model = model

    def __call__(
        self,
        prompts: str | Sequence[str],
        *,
        max_new_tokens: int = 50,
        do_sample: bool = False,
        temperature: float = 1.0,
        num_return_sequences: int = 1,
        return_full_text: bool = True,
        seed: int = 0,
    ) -> Any:
        if num_return_sequences < 1 or (num_return_sequences > 1 and not do_sample):
            raise ConfigError(
                f"num_return_sequences {num_return_sequences}: without do_sample every text would be the same"
            )
        if isinstance(prompts, str):
            texts = [
                self.model.generate(
                    prompts,
                    max_tokens=max_new_tokens,
                    temperature=temperature * do_sample,
                    seed=seed + number,
                )
                for number in range(num_return_sequences)
            ]
            begin = 0 if return_full_text else len(self.model.generate(prompts, max_tokens=0))
            return [{"generated_text": text[begin:]} for text in texts]
        settings: dict[str, Any] = {
            "max_new_tokens": max_new_tokens, "do_sample": do_sample, "temperature": temperature,
            "num_return_sequences": num_return_sequences, "return_full_text": return_full_text, "seed": seed,
        }  # fmt: skip
        return [self(prompt, **settings) for prompt in prompts]
