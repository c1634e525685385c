"""Feature extraction and sentence similarity: texts in, vectors of their tokens or likeness out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gradatim.errors import DataError
from gradatim.pipelines.calls import all_read, text_of, texts_of
from gradatim.pipelines.reader import ReadingPipeline
from gradatim.pipelines.wholes import Wholes
from gradatim.types import Array, Encoded


class FeatureExtraction(ReadingPipeline):
    """The last hidden states of texts as nested lists [1][tokens][width], special tokens among the tokens.

    Of a long text a token has the mean of its states in the windows that hold it.
    """

    def answers(
        self, inputs: Sequence[Any], *, truncation: Any = None, max_length: int | None = None
    ) -> list[Any]:
        """A nested list for each text."""
        texts = all_read(inputs, text_of)
        encoded, _ = self.read(texts, truncation=truncation, max_length=max_length, spans=True, places=True)
        wholes = Wholes.of(encoded)
        return [[states.tolist()] for states in wholes.split(wholes.mean(self.run(encoded)["states"]))]


class SentenceSimilarity(ReadingPipeline):
    """How alike sentences are to one: `{"source_sentence": ..., "sentences": [...]}` in, a list of cosines out.

    The vector of a sentence is the mean of its tokens' states (Reimers & Gurevych 2019), windows together.
    """

    def __call__(self, inputs: Any, sentences: Sequence[str] | None = None, **options: Any) -> Any:
        """The dictionary, or its two values."""
        if sentences is not None:
            inputs = {"source_sentence": inputs, "sentences": sentences}
        return super().__call__(inputs, **options)

    def answers(
        self, inputs: Sequence[Any], *, truncation: Any = None, max_length: int | None = None
    ) -> list[Any]:
        """The cosines for each input."""
        sizes, texts = [], []
        for one, others in all_read(inputs, _compared):
            sizes.append(1 + len(others))
            texts += [one, *others]
        encoded, _ = self.read(texts, truncation=truncation, max_length=max_length)
        vectors = unit_vectors(self.run(encoded)["states"], encoded)
        return [(rows[1:] @ rows[0]).tolist() for rows in np.split(vectors, np.cumsum(sizes)[:-1])]


def mean_vectors(states: Array, encoded: Encoded) -> Array:
    """The mean of all states (tokens, width) of each text, (texts, width)."""
    owners = np.repeat(encoded.owners, encoded.arrays["lengths"])
    starts = np.searchsorted(owners, np.arange(encoded.num_texts))
    counts = np.bincount(owners, minlength=encoded.num_texts)[:, None].astype(states.dtype)
    vectors: Array = np.add.reduceat(states, starts) / counts
    return vectors


def unit_vectors(states: Array, encoded: Encoded) -> Array:
    """The same at length 1."""
    vectors = mean_vectors(states, encoded)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return vectors


def _compared(value: Any) -> tuple[str, list[str]]:
    if not isinstance(value, Mapping) or set(value) != {"source_sentence", "sentences"}:
        raise DataError('sentences are compared as {"source_sentence": ..., "sentences": [...]}')
    others = texts_of(value["sentences"], "sentences")
    if not others:
        raise DataError("sentences must be a list of at least one sentence")
    return text_of(value["source_sentence"], "source_sentence"), others
