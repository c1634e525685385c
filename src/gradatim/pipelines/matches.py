"""How well tags are said: counts of each sentence, and precision, recall and F1 of entities, as seqeval has them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import chain

import numpy as np

from gradatim.pipelines.tagging import chunks
from gradatim.types import OUTSIDE, Array, Examples, Task

Tags = Sequence[Sequence[str]]  # of the words of each text
RIGHT, SAID, WANTED, WORDS_RIGHT, WORDS = range(5)  # columns of counts


def said_tags(task: Task, tags: Array, sizes: Array) -> list[list[str]]:
    """The names of tags of texts that lie end to end, text by text."""
    names = np.array(task.labels, dtype=object)[tags]
    return [part.tolist() for part in np.split(names, np.cumsum(sizes)[:-1])]


def wanted_tags(examples: Examples) -> list[list[str]]:
    """Those of labelled texts."""
    return [target.split(" ") for target in examples.targets.tolist()]


def counts(said: Tags, wanted: Tags) -> Array:
    """(texts, 5): entities that are right, said and wanted, words that are right, and words."""
    found = []
    for ours, theirs in zip(said, wanted, strict=True):
        one, other = set(chunks(ours)), set(chunks(theirs))
        right = sum(map(str.__eq__, ours, theirs))
        found.append((len(one & other), len(one), len(other), right, len(theirs)))
    return np.array(found, dtype=np.int64).reshape(-1, 5)


def by_kind(said: Tags, wanted: Tags, *, entities: bool) -> dict[str, Array]:
    """The same summed, for each kind of entity alone, or of tags that mark none for each tag, its words as entities."""
    if not entities:
        pairs = Counter(pair for rows in zip(said, wanted, strict=True) for pair in zip(*rows, strict=True))
        found: dict[str, Array] = {tag: np.zeros(5, dtype=np.int64) for tag in sorted({*chain(*pairs)})}
        for (ours, theirs), number in pairs.items():
            found[ours][SAID] += number
            found[theirs][WANTED] += number
            found[theirs][RIGHT] += number * (ours == theirs)
        return found
    kinds = sorted({label for side in (said, wanted) for row in side for label, *_ in chunks(row)})
    return {kind: counts(_only(kind, said), _only(kind, wanted)).sum(axis=0) for kind in kinds}


def _only(kind: str, tags: Tags) -> Tags:
    return [[tag if tag[2:] == kind else OUTSIDE for tag in row] for row in tags]


def measure(metric: str, summed: Array) -> Array:
    """A metric of summed counts (..., 5), between 0 and 1; 0 where nothing was said or wanted."""
    right, said, wanted, words_right, words = np.moveaxis(summed, -1, 0)
    over, under = {
        "f1": (2 * right, said + wanted),
        "precision": (right, said),
        "recall": (right, wanted),
        "accuracy": (words_right, words),
    }[metric]
    value: Array = over / np.maximum(under, 1)
    return value


def metrics_of(task: Task) -> tuple[str, ...]:
    """The metrics by which tags are judged; the first is the usual one."""
    return ("f1", "precision", "recall", "accuracy") if task.marks_entities else ("accuracy",)


def scores(task: Task, said: Tags, wanted: Tags) -> dict[str, float]:
    """All of them."""
    summed = counts(said, wanted).sum(axis=0)
    return {metric: float(measure(metric, summed)) for metric in metrics_of(task)}
