"""Sentences with a tag for every word, split and explained, as a corpus to climb on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Container, Iterator, Mapping, Sequence

import numpy as np

from gradatim.data.corpus import assembled
from gradatim.data.divided import Form, divided, looks, name_of, one_split
from gradatim.data.rows import listed
from gradatim.data.source import PathLike
from gradatim.data.splits import content_key
from gradatim.data.tagged import SUFFIXES, Sentence, looks_tagged, read_tagged, tag_names
from gradatim.errors import DataError
from gradatim.types import Corpus, Examples, Task

NO_BREAK = "\u00a0"  # stands for a space inside a word


def _keys(sentences: Sequence[Sentence]) -> list[bytes]:
    return [content_key(" ".join(sentence.words), None) for sentence in sentences]


TAGGED = Form(
    read_tagged, SUFFIXES, "sentences", "sentences", _keys, lambda sentences: (_keys(sentences), "equal ones")
)


def is_tagged(source: PathLike) -> bool:
    """Whether a source holds sentences with a tag for every word, without being told so."""
    return looks(source, looks_tagged)


def load_tagged(
    source: PathLike, *, dev: PathLike | None = None, test: PathLike | None = None, seed: int = 0
) -> Corpus:
    """Tagged sentences of a file, a folder with train, dev and test, or a set under `GRADATIM_DATA`.

    A missing dev is made from train (10 %), of a single file dev and test are (80/10/10); equal sentences stay
    together. Raises DataError for what cannot be used.
    """
    splits, notes = divided(source, TAGGED, dev=dev, test=test, seed=seed)
    counts = Counter(tag for sentence in splits["train"] for tag in sentence.tags)
    task = Task(tag_names(counts), kind="tagging")
    if len(task.labels) < 2:
        raise DataError(
            f"{source}: at least two different tags are needed to learn from, it has {listed([*counts])}"
        )
    if task.marks_entities:
        kinds = sorted({tag[2:] for tag in task.labels} - {""})
        notes.append(f"tags mark entities of {len(kinds)} kinds, read as IOB2: {listed(kinds)}")
    notes += _unseen(splits, counts)
    examples: dict[str, Examples] = {split: _examples(rows) for split, rows in splits.items()}
    return assembled(name_of(source), task, examples, notes)


def load_tagged_examples(
    source: PathLike, split: str = "test", *, known: Collection[str] = ()
) -> tuple[Examples, tuple[str, ...]]:
    """Tagged sentences to evaluate a model on that has the `known` tags, and notes: as `load_examples` chooses.

    Raises DataError where the model has none of their tags but O.
    """
    sentences, note = one_split(source, TAGGED, split)
    tags = {tag for sentence in sentences for tag in sentence.tags} - {"O"}
    others = sorted(tags.difference(known)) if known else []
    if others and len(others) == len(tags):
        raise DataError(
            f"{source}: none of its tags ({listed(others)}) is one of the model's: {listed([*known])}"
        )
    told = (
        [f"{len(others)} tags are none that the model has, and count as missed: {listed(others)}"]
        if others
        else []
    )
    return _examples(sentences), (note, *told)


def _examples(sentences: Sequence[Sentence]) -> Examples:
    targets = np.empty(len(sentences), dtype=object)
    targets[:] = [" ".join(one.tags) for one in sentences]
    texts = [" ".join(word.replace(" ", NO_BREAK) for word in one.words) for one in sentences]
    return Examples(texts, None, targets)


def _unseen(splits: Mapping[str, Sequence[Sentence]], known: Container[str]) -> Iterator[str]:
    """A note on every split with tags that train does not have; they cannot be said."""
    for split, sentences in splits.items():
        if unseen := sorted({tag for one in sentences for tag in one.tags if tag not in known}):
            yield f"{split}: {len(unseen)} tags do not occur in train: {listed(unseen)}"
