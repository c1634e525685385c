"""Token classification as `transformers.pipeline` has it: texts in, tagged tokens or entities out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from gradatim.errors import ConfigError, did_you_mean
from gradatim.pipelines.calls import all_read, text_of, texts_of, told
from gradatim.pipelines.classification import softmax
from gradatim.pipelines.reader import ReadingPipeline
from gradatim.pipelines.unknown import unknown_token
from gradatim.pipelines.wholes import Wholes
from gradatim.types import CAPITALS, OUTSIDE, Array

UNNAMED = -1  # stands for every token where there is no vocabulary
AS_IOB2 = {"E-": "I-", "L-": "I-", "S-": "B-", "U-": "B-"}  # what BIOES and BILOU have beside it
STRATEGIES = ("none", "simple", "first", "average", "max")


@dataclass(frozen=True, slots=True)
class Piece:
    """A token, or several as one word: its probabilities, its characters `start:end`, and its place in its text."""

    written: str
    scores: Array
    start: int
    end: int
    place: int
    goes_on: bool  # with the word before it


class TokenClassification(ReadingPipeline):
    """Tags of tokens, or entities, of texts.

    `aggregation_strategy`: "none" gives every token its tag; "simple" joins neighbours of one label; "first",
    "average" and "max" first give every word one tag, that of its first token, of the mean over its tokens, or of the
    surest of them. `grouped_entities` is the old name of "simple", with `ignore_subwords` that of "first". Labels in
    `ignore_labels` are left out. A long text is read in windows that share `stride` tokens, and a token's probabilities
    are their mean over the windows that hold it. With `is_split_into_words` an input is a list of words, which are
    joined by `delimiter`.

    Tags of BIOES and BILOU are joined as what they mean.

    Differs: white space at either end of a token or an entity is not part of it, where some tokenizers count it in.
    """

    def __call__(self, inputs: Any, **options: Any) -> Any:
        words = {**self.options, **options}.get("is_split_into_words")
        if (
            words
            and isinstance(inputs, list | tuple)
            and not all(isinstance(one, list | tuple) for one in inputs)
        ):
            inputs = [inputs]
        return super().__call__(inputs, **options)

    def answers(
        self,
        inputs: Sequence[Any],
        *,
        aggregation_strategy: str = "none",
        grouped_entities: bool | None = None,
        ignore_subwords: bool | None = None,
        ignore_labels: str | Iterable[str] | None = None,
        stride: int | None = None,
        truncation: Any = None,
        max_length: int | None = None,
        is_split_into_words: bool = False,
        delimiter: str | None = None,
    ) -> list[Any]:
        """A list of dictionaries for each text."""
        if grouped_entities is not None or ignore_subwords is not None:
            aggregation_strategy = ("first" if ignore_subwords else "simple") if grouped_entities else "none"
        strategy = _strategy(aggregation_strategy)
        ignored = {OUTSIDE}
        if ignore_labels is not None:
            names = [ignore_labels] if isinstance(ignore_labels, str) else ignore_labels
            ignored = {*texts_of(names, "ignore_labels")}
        join = " " if delimiter is None else text_of(delimiter, "delimiter")
        read = partial(_joined, delimiter=join) if is_split_into_words else text_of
        texts = all_read(inputs, read)
        answers = []
        reading = {"truncation": truncation, "max_length": max_length, "stride": stride}
        for text, (pieces, cut) in zip(texts, self._pieces(texts, reading), strict=True):
            found = _entities(pieces, strategy, self.reader.labels, self._tokenizer)
            for one in found:
                one["start"], one["end"] = _trimmed(text, one["start"], one["end"])
            kept = [one for one in found if one.get("entity", one.get("entity_group")) not in ignored]
            answers.append(told(kept, cut))
        return answers

    @property
    def _tokenizer(self) -> Tokenizer | None:
        """None for a model of words, whole or letter by letter: each is one token, unknown to any vocabulary."""
        return (
            self.vocabulary() if getattr(self.reader.encoder, "kind", None) in ("pieces", CAPITALS) else None
        )

    def _pieces(self, texts: list[str], reading: dict[str, Any]) -> Iterator[tuple[list[Piece], int | None]]:
        """The tokens of each text, and how many were left out."""
        encoded, cuts = self.read(texts, spans=True, places=True, **reading)
        wholes, arrays = Wholes.of(encoded), encoded.arrays
        scores = wholes.split(wholes.mean(softmax(self.run(encoded)["logits"])))
        tokenizer = self._tokenizer
        prefixed = bool(tokenizer and getattr(tokenizer.model, "continuing_subword_prefix", None))
        unknown = unknown_token(tokenizer) if tokenizer else UNNAMED
        if not tokenizer:
            arrays = {**arrays, "ids": np.full(len(arrays["ids"]), UNNAMED)}
        named = ("ids", "starts", "ends", "origins")
        known = zip(*(wholes.split(wholes.first(arrays[name])) for name in named), strict=True)
        for text, rows, (ids, starts, ends, origins), cut in zip(texts, scores, known, cuts, strict=True):
            pieces = []
            for place in np.flatnonzero(origins == 0).tolist():
                start, end, token = int(starts[place]), int(ends[place]), int(ids[place])
                written = (tokenizer and tokenizer.id_to_token(token)) or ""
                goes_on = start > 0 and " " not in text[start - 1 : start + 1]
                if prefixed:
                    goes_on = len(written) != end - start
                if token == unknown:
                    written, goes_on = text[start:end].encode("utf-8", "replace").decode("utf-8"), False
                pieces.append(Piece(written, rows[place], start, end, place, goes_on))
            yield pieces, cut


def _entities(
    pieces: list[Piece], strategy: str, labels: Sequence[str], tokenizer: Tokenizer | None
) -> list[dict[str, Any]]:
    """What a strategy makes of tokens."""
    if strategy != "none":
        labels = _as_iob2(labels)
    if strategy not in ("none", "simple"):
        pieces = [_word(group, strategy, tokenizer) for group in _words(pieces)]
    tagged = [(labels[int(piece.scores.argmax())], piece) for piece in pieces]
    if strategy == "none":
        return [
            {
                "entity": label, "score": float(piece.scores.max()), "index": piece.place, "word": piece.written,
                "start": piece.start, "end": piece.end,
            }
            for label, piece in tagged
        ]  # fmt: skip
    return [
        {
            "entity_group": group[0][0].split("-", 1)[-1],
            "score": float(np.mean([piece.scores.max() for _, piece in group])),
            "word": _written([piece for _, piece in group], tokenizer),
            "start": group[0][1].start,
            "end": group[-1][1].end,
        }
        for group in _groups(tagged)
    ]


def _words(pieces: list[Piece]) -> Iterator[list[Piece]]:
    """Tokens by the words that they are pieces of."""
    number, numbers = 0, []
    for piece in pieces:
        number += not piece.goes_on
        numbers.append(number)
    for _, group in groupby(zip(numbers, pieces, strict=True), key=lambda pair: pair[0]):
        yield [piece for _, piece in group]


def _word(group: list[Piece], strategy: str, tokenizer: Tokenizer | None) -> Piece:
    """A word as one piece."""
    match strategy:
        case "first":
            scores = group[0].scores
        case "max":
            scores = max(group, key=lambda piece: piece.scores.max()).scores
        case _:
            scores = np.mean([piece.scores for piece in group], axis=0)
    return Piece(_written(group, tokenizer), scores, group[0].start, group[-1].end, group[0].place, False)


def _groups(tagged: list[tuple[str, Piece]]) -> Iterator[list[tuple[str, Piece]]]:
    """Neighbours of one label; B- begins anew, whatever is before it."""
    group: list[tuple[str, Piece]] = []
    for label, piece in tagged:
        if group and (label[:2] == "B-" or _bare(label) != _bare(group[-1][0])):
            yield group
            group = []
        group.append((label, piece))
    if group:
        yield group


def _as_iob2(labels: Sequence[str]) -> Sequence[str]:
    """The labels by which entities are joined: those of BIOES and BILOU as IOB2 has them, others as they are."""
    if not all(label == OUTSIDE or label[:2] in ("B-", "I-", *AS_IOB2) for label in labels):
        return labels
    return [AS_IOB2.get(label[:2], label[:2]) + label[2:] for label in labels]


def _bare(label: str) -> str:
    return label[2:] if label[:2] in ("B-", "I-") else label


def _written(pieces: list[Piece], tokenizer: Tokenizer | None) -> str:
    """Tokens, or words of tokens, as the tokenizer writes them."""
    parts = [piece.written for piece in pieces]
    decoder = tokenizer and tokenizer.decoder
    return str(decoder.decode(parts)) if decoder else " ".join(parts)


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """Characters without the white space at either end."""
    inner = text[start:end]
    first = start + len(inner) - len(inner.lstrip())
    return first, max(first, start + len(inner.rstrip()))


def _strategy(name: Any) -> str:
    strategy = str(getattr(name, "value", name)).lower()
    if strategy not in STRATEGIES:
        raise ConfigError(
            f"aggregation_strategy is {', '.join(STRATEGIES)}, not '{name}'{did_you_mean(strategy, STRATEGIES)}"
        )
    return strategy


def _joined(words: Any, delimiter: str) -> str:
    return delimiter.join(texts_of(words, "words"))
