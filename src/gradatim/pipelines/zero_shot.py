"""Zero-shot classification: labels as claims that a text entails (Yin et al. 2019) or is like (Chang et al. 2008)."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from gradatim.errors import ConfigError, DataError
from gradatim.pipelines.calls import all_read, text_of, texts_of, told
from gradatim.pipelines.classification import softmax
from gradatim.pipelines.features import unit_vectors
from gradatim.pipelines.labels import RowPipeline
from gradatim.pipelines.reader import Reader
from gradatim.types import Array

CLAIM = "This example is {}."  # where a model of inference judges
ALONE = "{}"  # where a label is compared as it stands
SHARPNESS = (
    20.0  # of cosines as logits: the likeliest for MiniLM on TREC, AG News and Banking77 is 14, 20 and 20
)
HALFWAY = 0.3  # the cosine from which a label is rather true than not, between 0.15 and 0.65 on the same


class ZeroShotClassification(RowPipeline):
    """Which of any labels a text has: `{"sequence", "labels", "scores"}`, best first.

    A label is put into `hypothesis_template`. A model of inference says how much a text entails it; an encoder of
    sentences how near the two are, as the cosine of their mean states. The score is the softmax over the labels or,
    with `multi_label` or a single label, what speaks for one against what speaks against it: of entailment the
    contradiction, of cosines a fixed one.
    """

    def __init__(self, reader: Reader, **options: Any) -> None:
        self.compares = reader.kind == "body"
        entails = [i for i, label in enumerate(reader.labels) if label.lower().startswith("entail")]
        self.entails = entails[-1] if entails else len(reader.labels) - 1
        self.contradicts = len(reader.labels) - 1 if self.entails == 0 else 0
        self._read: tuple[Any, Array, list[int | None]] | None = None
        if not self.compares and (len(reader.labels) < 2 or reader.pairs is False):
            raise ConfigError(
                "zero-shot classification needs a model that reads pairs, with labels for entailment and "
                "contradiction, or an encoder of sentences"
            )
        if not self.compares and not entails:
            logging.getLogger("gradatim").warning(
                "no label of this model is called entailment: '%s', its last, is taken for it",
                reader.labels[-1],
            )
        super().__init__(reader, **options)

    def __call__(
        self, inputs: Any = None, candidate_labels: Any = None, *, sequences: Any = None, **options: Any
    ) -> Any:
        """The labels may stand behind the texts, and the texts be called `sequences`."""
        if candidate_labels is not None:
            options["candidate_labels"] = candidate_labels
        return super().__call__(inputs if sequences is None else sequences, **options)

    def answers(
        self,
        inputs: Sequence[Any],
        *,
        candidate_labels: str | Iterable[str] = (),
        hypothesis_template: str | None = None,
        multi_label: bool = False,
        multi_class: bool | None = None,
        truncation: Any = None,
        max_length: int | None = None,
    ) -> list[Any]:
        """A dictionary for each text."""
        template = (ALONE if self.compares else CLAIM) if hypothesis_template is None else hypothesis_template
        labels = _labels(candidate_labels)
        claims = _claims(labels, template)
        each = multi_label if multi_class is None else multi_class
        texts = all_read(inputs, text_of)
        judge = self._compared if self.compares else self._inferred
        logits, cuts = judge(texts, claims, truncation=truncation, max_length=max_length)
        answers = []
        for text, row, cut in zip(texts, logits, cuts, strict=True):
            alone = each or len(labels) == 1
            scores = softmax(row)[:, 1] if alone else softmax(row[None, :, 1])[0]
            order = np.argsort(scores, kind="stable")[::-1].tolist()
            found = {
                "sequence": text,
                "labels": [labels[i] for i in order],
                "scores": [float(scores[i]) for i in order],
            }
            answers.append(told(found, cut))
        return answers

    def _inferred(
        self, texts: Sequence[str], claims: Sequence[str], **reading: Any
    ) -> tuple[Array, list[int | None]]:
        """Logits (texts, labels, 2) of what speaks against and for, and how much was left out of each text at most."""
        pairs = [text for text in texts for _ in claims], [*claims] * len(texts)
        logits, cuts = self.logits(*pairs, **reading)
        shape = len(texts), len(claims), 2
        most = [_most(cuts[row * len(claims) : (row + 1) * len(claims)]) for row in range(len(texts))]
        return logits[:, [self.contradicts, self.entails]].reshape(shape), most

    def _compared(
        self, texts: Sequence[str], claims: Sequence[str], **reading: Any
    ) -> tuple[Array, list[int | None]]:
        """The same from likeness; the claims of one call after another are read once."""
        asked = tuple(claims), tuple(reading.values())
        read = self._read  # looked at once: another thread may ask of other claims meanwhile
        if read is None or read[0] != asked:
            read = self._read = asked, *self._directions(claims, **reading)
        _, directions, claims_cut = read
        vectors, cuts = self._directions(texts, **reading)
        likeness = SHARPNESS * (vectors @ directions.T)
        most = [_most([cut, *claims_cut]) for cut in cuts]
        return np.stack([np.full_like(likeness, SHARPNESS * HALFWAY), likeness], axis=-1), most

    def _directions(self, texts: Sequence[str], **reading: Any) -> tuple[Array, list[int | None]]:
        encoded, cuts = self.read(texts, **reading)
        return unit_vectors(self.run(encoded)["states"], encoded), cuts


def _most(cuts: Sequence[int | None]) -> int | None:
    return max((cut for cut in cuts if cut is not None), default=None)


def _labels(given: Any) -> list[str]:
    """Labels as they are given, several or one text with commas, without those that say nothing."""
    if isinstance(given, str):
        given = [label.strip() for label in given.split(",")]
    labels = [label for label in texts_of(given, "candidate_labels") if label.strip()]
    if not labels:
        raise DataError("candidate_labels are needed: a list of at least one label, or one text with commas")
    return labels


def _claims(labels: Sequence[str], template: str) -> list[str]:
    """What is claimed of a text by each label."""
    template = text_of(template, "hypothesis_template")
    try:
        claims = [template.format(label) for label in labels]
    except (IndexError, KeyError, ValueError) as error:
        raise ConfigError(f"hypothesis_template '{template}' cannot be filled: {error!r}") from error
    if claims[0] == template:
        raise ConfigError(f"hypothesis_template '{template}' has no {{}} where the label should go")
    return claims
