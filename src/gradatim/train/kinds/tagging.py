"""kind = "tagging": a tag for every word, as in named entity recognition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Literal

import numpy as np

from gradatim.checkpoint.config import ModelConfig
from gradatim.data.sentences import TAGGED
from gradatim.data.tagged import Sentence, tag_names
from gradatim.errors import MissingExtraError
from gradatim.models.backbone import BackboneConfig
from gradatim.models.encoders import encoder_for, with_capitals
from gradatim.models.inputs import PackedTexts
from gradatim.models.layers import Layers
from gradatim.objectives.tagging import Tagging
from gradatim.pipelines.tagging import joined, tag_words, word_of_tokens
from gradatim.text.capitals import folds_case
from gradatim.text.pieces import PieceEncoder
from gradatim.train.build import Materials, Prepared
from gradatim.train.kinds.reading import annotated, encoded, logits, split
from gradatim.types import Array, Encoded, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class TaggingSettings:
    """kind = "tagging": a tag for every word. Entities (CoNLL-2003) are judged by their F1 on dev, other tags, such as
    parts of speech (Universal Dependencies), by the share of words that are right.

    context          "document" reads as many sentences of a document together as `max_length` tokens hold
                     (Devlin et al. 2019, section 5.3), "sentence" each by itself
    layers           of a frozen body whose states the head reads; without it all is fine-tuned
    recurrent_width  of a BiLSTM between these and the linear layer, 0 for none
    capitals         where the tokenizer makes them small letters, the model is told which they were: names have them
    """

    context: Literal["sentence", "document"] = "sentence"
    layers: Layers | None = None
    recurrent_width: int = 0
    capitals: bool = True

    def prepare(self, materials: Materials) -> Prepared:
        recipe = materials.recipe
        train, dev, note = annotated(materials, TAGGED)
        labels = tag_names(tag for sentence in train for tag in sentence.tags)
        body, folds = materials.body, folds_case(materials.tokenizer)
        if self.capitals and folds and isinstance(body, BackboneConfig):
            body = with_capitals(body)
        pieces = encoder_for(body, materials.tokenizer_json, max_length=materials.data.max_length)
        inputs, words = self._tokens(pieces, train)
        held, held_words = self._tokens(pieces, dev)
        config = ModelConfig(
            kind="tagging", body=body, num_outputs=len(labels), labels=labels, layers=self.layers,
            recurrent_width=self.recurrent_width,
        )  # fmt: skip
        model = materials.build(config)

        def judge(sentences: Sequence[Sentence], tokens: Encoded, owners: Array) -> Mapping[str, float]:
            said = logits(model, recipe, tokens.arrays)
            rest = iter(tag_words(said, owners, sum(len(s.words) for s in sentences), labels)[0])
            return scores([s.tags for s in sentences], [list(islice(rest, len(s.tags))) for s in sentences])

        test = split(materials, TAGGED, "test")
        ids = {label: i for i, label in enumerate(labels)}
        tags = np.array([ids[tag] for sentence in train for tag in sentence.tags])
        objective = Tagging(PackedTexts(inputs), words, tags)
        made = Prepared(
            model, config, objective, None, materials.tokenizer_json, (note,),
            test=(lambda: judge(test, *self._tokens(pieces, test))) if test else None,
        )  # fmt: skip
        return made.judged(
            lambda: judge(dev, held, held_words),
            "f1" if Task(labels, kind="tagging").marks_entities else "accuracy",
        )

    def _tokens(self, pieces: PieceEncoder, sentences: Sequence[Sentence]) -> tuple[Encoded, Array]:
        """The sentences' tokens, and which word (of all, end to end) each of them is a piece of."""
        rows = [list(sentence.words) for sentence in sentences]
        if self.context == "document":
            room = pieces.max_length - 2  # the special tokens; a row that is too long becomes two
            lengths = pieces.documents([" ".join(row) for row in rows]).arrays["lengths"]
            rows = [
                list(chain.from_iterable(rows[i] for i in group))
                for group in together([sentence.document for sentence in sentences], lengths.tolist(), room)
            ]
        texts, spans = zip(*map(joined, rows), strict=True)
        tokens = encoded(pieces, texts)
        return tokens, word_of_tokens(tokens, spans)


def together(documents: Sequence[int], lengths: Sequence[int], room: int) -> list[list[int]]:
    """Neighbouring sentences of one document in groups of at most `room` tokens, if not of one sentence."""
    groups: list[list[int]] = []
    size = 0
    for i, (document, length) in enumerate(zip(documents, lengths, strict=True)):
        if groups and documents[groups[-1][0]] == document and size + length <= room:
            groups[-1].append(i)
            size += length
        else:
            groups.append([i])
            size = length
    return groups


def scores(wanted: Sequence[Sequence[str]], said: Sequence[Sequence[str]]) -> dict[str, float]:
    """Accuracy of words, and precision, recall and F1 of entities, by seqeval; tags of the words of each sentence."""
    gold = [*chain.from_iterable(wanted)]
    right = [one == other for one, other in zip(gold, chain.from_iterable(said), strict=True)]
    accuracy = {"accuracy": float(np.mean(right))}
    if not Task(tuple({*gold}), kind="tagging").marks_entities:
        return accuracy
    try:
        from seqeval.metrics import f1_score, precision_score, recall_score
    except ImportError as error:
        raise MissingExtraError("the F1 of entities", "train") from error
    rows = [[list(tags) for tags in side] for side in (wanted, said)]
    measures = {"f1": f1_score, "precision": precision_score, "recall": recall_score}
    found = {name: float(measure(*rows, zero_division=0)) for name, measure in measures.items()}
    return {**found, **accuracy}
