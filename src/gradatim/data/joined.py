"""Several labelled sets as one: labels of equal names are the same, splits stand one after another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from gradatim.data.corpus import assembled
from gradatim.errors import DataError
from gradatim.types import Array, Corpus, Examples, Task


def join_corpora(corpora: Sequence[Corpus]) -> Corpus:
    """One corpus of several, with the labels of all; raises DataError where single texts would meet pairs.

    Test is that of those which have one.
    """
    first, *others = corpora
    if not others:
        return first
    for other in others:
        if (other.task.pairs, other.task.multi_label) != (first.task.pairs, first.task.multi_label):
            raise DataError(
                f"{first.name!r} and {other.name!r} are no one set: single texts and pairs, or one label and several, "
                "do not go together"
            )
    labels = tuple(dict.fromkeys(name for corpus in corpora for name in corpus.task.labels))
    task = replace(first.task, labels=labels)
    splits = {
        name: _joined([(corpus.task, split) for corpus in corpora if (split := getattr(corpus, name))], task)
        for name in ("train", "dev", "test")
    }
    examples = {name: split for name, split in splits.items() if len(split)}
    return assembled(
        "+".join(corpus.name for corpus in corpora),
        task,
        examples,
        [f"{corpus.name}: {note}" for corpus in corpora for note in corpus.notes],
        licence="; ".join(dict.fromkeys(corpus.licence for corpus in corpora)),
        citation="; ".join(filter(None, dict.fromkeys(corpus.citation for corpus in corpora))),
    )


def _joined(parts: Sequence[tuple[Task, Examples]], task: Task) -> Examples:
    """The examples of all parts, their targets those of `task`."""
    targets = [_renumbered(own, part.targets, task) for own, part in parts]
    pairs = [pair for _, part in parts for pair in part.pairs or ()]
    return Examples(
        [text for _, part in parts for text in part.texts],
        pairs if task.pairs else None,
        np.concatenate(targets) if targets else np.zeros(0, dtype=np.int64),
    )


def _renumbered(own: Task, targets: Array, task: Task) -> Array:
    places = np.array([task.labels.index(name) for name in own.labels])
    if not task.multi_label:
        renumbered: Array = places[targets]
        return renumbered
    wide = np.zeros((len(targets), len(task.labels)), dtype=np.float32)
    wide[:, places] = targets
    return wide
