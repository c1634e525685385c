"""Tags of words over any encoder and session: the same code where a model is judged and where it is used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any, NamedTuple, overload

import numpy as np

from gradatim.engine.chain import best_tags
from gradatim.errors import ArtifactError, DataError
from gradatim.pipelines.classification import portions, softmax
from gradatim.pipelines.tagging import (
    Entity,
    Span,
    entities,
    iob2_transitions,
    joined,
    outside,
    word_logits,
    word_of_tokens,
)
from gradatim.pipelines.wholes import Wholes
from gradatim.text.contexts import ContextEncoder
from gradatim.text.raw import find_words
from gradatim.types import OUTSIDE, Array, Encoder, Session, Task

TINY = np.finfo(np.float32).tiny  # a probability that has a logarithm


class Tagged(NamedTuple):
    """Of all words end to end: numbers of labels, their probabilities; and how many tokens were left out."""

    tags: Array
    scores: Array
    cut_tokens: int


class SequenceTagger:
    """Entities in texts; of tags that mark none, such as parts of speech, every word with its tag.

    `decision` may hold `iob2`: no entity begins with an I-, whatever each word by itself would have. In a text words
    are where `find_words` finds them. Of a text in windows the probabilities of a token are their mean over those that
    hold it, as in `TokenClassification`. Any number of texts goes through in bounded chunks.
    """

    def __init__(
        self, encoder: Encoder, session: Session, task: Task, decision: Mapping[str, Any] | None = None
    ) -> None:
        self.encoder, self.session, self.task = encoder, session, task
        legal = bool((decision or {}).get("iob2"))
        self.transitions = iob2_transitions(task.labels) if legal else None

    @overload  # a str is a sequence of str to the type checker, hence the overlap
    def __call__(self, texts: str) -> list[Entity]: ...  # type: ignore[overload-overlap]

    @overload
    def __call__(self, texts: Sequence[str]) -> list[list[Entity]]: ...

    def __call__(self, texts: str | Sequence[str]) -> list[Entity] | list[list[Entity]]:
        """The entities of one text or of many."""
        several = [texts] if isinstance(texts, str) else texts
        for i, text in enumerate(several):
            if not isinstance(text, str):
                raise DataError(f"text {i} (counted from 0) is {type(text).__name__}, not str: {text!r:.40}")
        spans = [find_words(text) for text in several]
        found = self.tagged(several, spans)
        named = [self.task.labels[tag] for tag in found.tags.tolist()]
        ends = list(accumulate(map(len, spans), initial=0))
        answers = [
            self._entities(text, words, named[start:end], found.scores[start:end])
            for text, words, start, end in zip(several, spans, ends, ends[1:], strict=False)
        ]
        return answers[0] if isinstance(texts, str) else answers

    def stream(self, rows: Iterable[tuple[str, str | None]]) -> Iterator[list[Entity]]:
        """The entities of an endless supply of texts (nothing goes with them), a chunk at a time, in bounded memory."""
        for portion in portions(rows):
            if any(pair is not None for _, pair in portion):
                raise DataError("this model reads single texts: leave the second text away")
            yield from self([text for text, _ in portion])

    def answers(self, texts: Sequence[str], pairs: Sequence[str] | None = None) -> dict[str, Array]:
        """What a metric needs to judge the model, of texts that are words with a space between: numbers of the `tags`
        of all words, `sizes` of the texts in words, and how many tokens were left out.
        """
        if pairs is not None:
            raise DataError("this model reads single texts: leave the second text away")
        spans = [joined(text.split(" "))[1] for text in texts]
        found = self.tagged(texts, spans)
        sizes = np.array([len(words) for words in spans], dtype=np.int64)
        return {"tags": found.tags, "sizes": sizes, "cut_tokens": np.array(found.cut_tokens)}

    def tagged(self, texts: Sequence[str], spans: Sequence[Sequence[Span]]) -> Tagged:
        """The tags of words that lie at `spans` of each text."""
        tags, scores = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.float32)]
        cut = done = 0
        for portion in portions((text, None) for text in texts):
            some = spans[done : done + len(portion)]
            logits, left_out = self.logits([text for text, _ in portion], some)
            lengths = np.array([len(words) for words in some], dtype=np.int64)
            best = self.decode(logits, lengths)
            tags.append(best)
            scores.append(softmax(logits)[np.arange(len(best)), best])
            cut, done = cut + left_out, done + len(portion)
        return Tagged(np.concatenate(tags), np.concatenate(scores), cut)

    def decode(self, logits: Array, lengths: Array) -> Array:
        """The tags (words,) that logits of texts of so many words stand for."""
        best: Array = logits.argmax(axis=1)
        return best if self.transitions is None else best_tags(logits, lengths, self.transitions)

    def logits(self, texts: Sequence[str], spans: Sequence[Sequence[Span]]) -> tuple[Array, int]:
        """Those of each word (words, labels), normalised over labels or not, and how many tokens were left out."""
        encoder: Any = self.encoder
        of_words = isinstance(encoder, ContextEncoder)
        encoded = (
            encoder.encode(texts, words=spans) if of_words else encoder.encode(texts, spans=True, places=True)
        )
        logits = self.session.run(encoded.arrays)["logits"]
        if logits.shape[1] != len(self.task.labels):
            raise ArtifactError(
                f"the model gives {logits.shape[1]} logits but the task has {len(self.task.labels)} tags"
            )
        if of_words:
            return logits, encoded.cut
        words = word_of_tokens(encoded, spans)
        if len(encoded.owners) > encoded.num_texts:
            wholes = Wholes.of(encoded)
            probabilities = np.maximum(wholes.mean(softmax(logits)), TINY)
            logits, words = np.log(probabilities), wholes.first(words)
        return word_logits(logits, words, sum(map(len, spans)), outside(self.task.labels)), encoded.cut

    def _entities(self, text: str, words: Sequence[Span], tags: Sequence[str], scores: Array) -> list[Entity]:
        if self.task.marks_entities:
            return entities(text, words, tags, scores)
        return [
            Entity(tag, text[start:end], start, end, score)
            for tag, (start, end), score in zip(tags, words, scores.tolist(), strict=True)
            if tag != OUTSIDE
        ]
