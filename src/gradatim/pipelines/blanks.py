"""Missing words as `transformers.pipeline` has them (fill-mask): texts with a mask token in, words for it out."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from gradatim.errors import ConfigError
from gradatim.pipelines.calls import InputError, all_read, at_least, text_of, texts_of, told
from gradatim.pipelines.classification import softmax
from gradatim.pipelines.reader import Reader, ReadingPipeline, clean
from gradatim.pipelines.wholes import Wholes
from gradatim.types import Array


class FillMask(ReadingPipeline):
    """The likeliest words for the mask token of a text: a list of `{"score", "token", "token_str", "sequence"}`.

    A text with several mask tokens gives a list for each. `targets` are the only words that may be chosen; one that
    is no token stands for its first. A mask in the overlap of windows has the mean of what they say.
    """

    def __init__(self, reader: Reader, **options: Any) -> None:
        mask = None if reader.mask is None else reader.pieces.tokenizer.token_to_id(reader.mask)
        if mask is None:
            raise ConfigError("the tokenizer of this model has no mask token, so no word can be asked for")
        self.mask: int = mask
        super().__init__(reader, **options)

    def __call__(self, inputs: Any, **options: Any) -> Any:
        found = super().__call__(inputs, **options)
        return found[0] if isinstance(inputs, list) and len(inputs) == 1 else found

    def answers(
        self,
        inputs: Sequence[Any],
        *,
        top_k: int | None = 5,
        targets: str | Iterable[str] | None = None,
        truncation: Any = None,
        max_length: int | None = None,
    ) -> list[Any]:
        """The words for each text."""
        count = 5 if top_k is None else at_least("top_k", top_k, 1)
        chosen = (
            None if targets is None else self._targets([targets] if isinstance(targets, str) else targets)
        )
        texts = all_read(inputs, text_of)
        encoded, cuts = self.read(
            texts, truncation=truncation, max_length=max_length, spans=True, places=True
        )
        asked = encoded.arrays["ids"] == self.mask
        wholes = Wholes.of(encoded)
        ids = wholes.split(wholes.first(encoded.arrays["ids"]))
        for number, row in enumerate(ids):
            if not (row == self.mask).any():
                raise InputError(
                    number,
                    f"the text has no {self.reader.mask}, which marks the missing word"
                    + " in what truncation left of it" * bool(cuts[number]),
                )
        probabilities = softmax(self.run(encoded, asked=asked)["logits"])
        places = wholes.places[asked]
        rows = [probabilities[places == place].mean(axis=0) for place in np.unique(places)]
        answers, scores = [], iter(rows)
        for row, cut in zip(ids, cuts, strict=True):
            blanks = np.flatnonzero(row == self.mask).tolist()
            found = [
                self._words(row, blank, next(scores), count, chosen, alone=len(blanks) == 1)
                for blank in blanks
            ]
            answers.append(told(found[0] if len(found) == 1 else found, cut))
        return answers

    def _words(
        self, ids: Array, blank: int, scores: Array, count: int, targets: Array | None, *, alone: bool
    ) -> list[dict[str, Any]]:
        """The likeliest words for one mask token; other mask tokens stay to be seen."""
        tokens = np.arange(len(scores)) if targets is None else targets
        best = tokens[np.argsort(-scores[tokens], kind="stable")[:count]]
        found = []
        for token in best.tolist():
            filled = ids.copy()
            filled[blank] = token
            sequence = self._written(filled.tolist(), plain=alone)
            name = self._written([token], plain=False)
            found.append(
                {"score": float(scores[token]), "token": token, "token_str": name, "sequence": sequence}
            )
        return found

    def _written(self, ids: list[int], *, plain: bool) -> str:
        text = str(self.vocabulary().decode(ids, skip_special_tokens=plain))
        return clean(text) if self.reader.cleans else text

    def _targets(self, words: Iterable[str]) -> Array:
        """Tokens of words, each once."""
        tokenizer, found = self.vocabulary(), []
        for word in texts_of(words, "targets"):
            token = tokenizer.token_to_id(word)
            if token is None and (ids := tokenizer.encode(word, add_special_tokens=False).ids):
                token = ids[0]
                logging.getLogger("gradatim").warning(
                    "the target '%s' is no token of this model: '%s' is scored in its place",
                    word,
                    tokenizer.id_to_token(token),
                )
            found += [] if token is None else [token]
        if not found:
            raise ConfigError("targets are the words to choose from; at least one that has letters is needed")
        return np.array(sorted(set(found)))
