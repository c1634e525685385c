"""`load_corpus`: labelled text of any source, cleaned, split and explained."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gradatim.data.labels import Encoding, Reading
from gradatim.data.rows import Rows, read_split
from gradatim.data.source import PathLike, Source, find_source
from gradatim.data.splits import shared_rows, split_rows, strata
from gradatim.errors import DataError
from gradatim.types import Array, Corpus, Examples, Task

HELD_OUT = 0.1  # share of the rows that a made dev or test split gets
_NAMES_SHOWN = 5


@dataclass(slots=True)
class _Split:
    """Rows of a split with their label names and content keys."""

    rows: Rows
    labels: list[tuple[str, ...]]
    keys: list[bytes]

    def take(self, at: Array) -> _Split:
        return _Split(self.rows.take(at), [self.labels[i] for i in at], [self.keys[i] for i in at])


def load_corpus(
    source: PathLike,
    *,
    text: str | None = None,
    text_pair: str | None = None,
    label: str | None = None,
    dev: PathLike | None = None,
    test: PathLike | None = None,
    seed: int = 0,
) -> Corpus:
    """A labelled data set, split into train, dev and test, with everything decided on the way in `notes`.

    `source` is a path, a catalog name, a `GRADATIM_DATA` name or a hub id (see `find_source` for the order).
    `text`, `text_pair` and `label` name columns; without them columns are guessed. Given splits are used as
    they are: what they share is counted, not removed. A missing dev is made from train (10 %); a single
    table gives train, dev and test (80/10/10); made splits are stratified and keep equal texts together.
    Rows without text or label, and dev or test rows with a label that train does not have, are left out and
    counted. Raises DataError for what cannot be used and SourceError for what cannot be fetched.
    """
    found = find_source(source, dev=dev, test=test)
    if not (found.layout.labelled or label):
        raise DataError(
            f"{found.name!r} holds text without labels; it can serve as unlabelled text (load_texts)"
        )
    raw, notes = _read(found, {"text": text, "text_pair": text_pair, "label": label})
    reading = Reading([rows.label_column() for rows in raw.values()], found.names_for(label))
    splits = {name: _Split(rows, reading.label_sets(rows.labels), rows.keys()) for name, rows in raw.items()}
    task = _task(splits["train"], reading, found)
    notes += _label_notes(splits["train"], reading, task)
    notes += _drop_unseen(splits, task)
    single = len(found.tables) == 1
    notes += _shared(splits) if not single else []
    notes += _complete(splits, task, single, seed)
    encoding = Encoding(task)
    examples = {
        name: Examples(s.rows.texts, s.rows.pairs, encoding.targets(s.labels)) for name, s in splits.items()
    }
    return Corpus(
        name=found.name,
        task=task,
        train=examples["train"],
        dev=examples["dev"],
        test=examples.get("test"),
        notes=tuple(notes),
        digest=digest(task, examples),
        licence=found.licence,
        citation=found.citation,
    )


def _read(found: Source, choice: Mapping[str, str | None]) -> tuple[dict[str, Rows], list[str]]:
    """The usable rows of every split; columns are chosen on train and taken over by the others."""
    rows, columns, notes = read_split(found, "train", None, **choice)
    splits = {"train": rows}
    for name in ("dev", "test"):
        if name in found.tables:
            try:
                splits[name], _, more = read_split(found, name, (found.tables["train"], columns))
            except DataError as error:
                if name == "dev" or "no usable rows" not in str(error):
                    raise
                more = [f"test: not used: {error}"]  # benchmark sets often hide the labels of test
            notes += more
    return splits, notes


def _task(train: _Split, reading: Reading, found: Source) -> Task:
    names = reading.ordered(name for labels in train.labels for name in labels)
    if len(names) < 2:
        only = f"only {names[0]!r}" if names else "none"
        raise DataError(
            f"{found.name}: at least two different labels are needed to learn from, the data has {only}"
        )
    return Task(names, multi_label=reading.multi_label, pairs=train.rows.pairs is not None)


def _label_notes(train: _Split, reading: Reading, task: Task) -> list[str]:
    notes = []
    if task.multi_label:
        joined = f", joined by {reading.separator!r}" if reading.separator else ""
        average = sum(map(len, train.labels)) / len(train.labels)
        notes.append(f"several labels per text{joined}: {len(task.labels)} labels, {average:.2f} per text")
    counts = Counter(name for labels in train.labels for name in labels)
    once = [name for name in task.labels if counts[name] == 1]
    if once:
        notes.append(f"{len(once)} labels have one example only, which stays in train: {_listed(once)}")
    folded = Counter(name.casefold() for name in task.labels)
    alike = [name for name in task.labels if folded[name.casefold()] > 1]
    if alike:
        notes.append(f"labels that differ only in case are kept apart: {_listed(alike)}")
    labels_of: dict[bytes, set[tuple[str, ...]]] = {}
    for key, labels in zip(train.keys, train.labels, strict=True):
        labels_of.setdefault(key, set()).add(tuple(sorted(labels)))
    torn = sum(len(sets) > 1 for sets in labels_of.values())
    if torn:
        notes.append(f"{torn} texts occur more than once with different labels")
    return notes


def _drop_unseen(splits: dict[str, _Split], task: Task) -> list[str]:
    """Leave out dev and test rows with a label that train does not have."""
    encoding, notes = Encoding(task), []
    for name in ("dev", "test"):
        if name not in splits:
            continue
        split = splits[name]
        known = np.array([encoding.knows(labels) for labels in split.labels], dtype=bool)
        if known.all():
            continue
        unseen = Counter(x for labels in split.labels for x in labels if not encoding.knows([x]))
        listed = _listed([f"{label} ({count})" for label, count in unseen.most_common()])
        notes.append(
            f"{name}: {int((~known).sum())} rows left out, their labels do not occur in train: {listed}"
        )
        splits[name] = split.take(np.flatnonzero(known))
        if not known.any():
            if name == "dev":
                raise DataError(f"no label of dev occurs in train: {listed}")
            del splits[name]
    return notes


def _shared(splits: Mapping[str, _Split]) -> list[str]:
    """A note per two given splits that share content."""
    notes = []
    for one, other in (("train", "dev"), ("train", "test"), ("dev", "test")):
        if one in splits and other in splits:
            count = shared_rows(splits[other].keys, splits[one].keys)
            if count:
                total = len(splits[other].keys)
                notes.append(
                    f"leak: {count} of {total} {other} texts ({count / total:.1%}) also occur in {one}; kept"
                )
    return notes


def _complete(splits: dict[str, _Split], task: Task, single: bool, seed: int) -> list[str]:
    """Make the missing dev (and, from a single table, test) out of train."""
    missing = ["dev", "test"] if single else [] if "dev" in splits else ["dev"]
    if not missing:
        return []
    whole = splits["train"]
    at = split_rows(whole.keys, strata(whole.labels), [HELD_OUT] * len(missing), seed)
    if not len(at[1]):
        raise DataError(
            f"{whole.rows.where}: no row can be held out to measure on, every label has a single text; "
            "add examples, or give a dev file"
        )
    for name, rows in zip(["train", *missing], at, strict=True):
        if len(rows):
            splits[name] = whole.take(rows)
    sizes = ", ".join(f"{name} {len(rows)}" for name, rows in zip(["train", *missing], at, strict=True))
    notes = [f"split made from {len(whole.keys)} rows, stratified, seed {seed}: {sizes}"]
    repeated = len(whole.keys) - len(set(whole.keys))
    if repeated:
        notes.append(f"{repeated} rows repeat the text of another; equal texts are on one side of the split")
    absent = set(task.labels) - {name for labels in splits["dev"].labels for name in labels}
    if absent:
        notes.append(f"dev has no example of {len(absent)} labels: {_listed(sorted(absent))}")
    return notes


def digest(task: Task, examples: Mapping[str, Examples]) -> str:
    """The sha256 of labels, texts, pairs and targets of all splits: equal exactly for equal corpora."""
    sha = hashlib.sha256(repr((task.labels, task.multi_label, task.pairs)).encode())
    for name in ("train", "dev", "test"):
        if name not in examples:
            continue
        split = examples[name]
        sha.update(f"\0{name} {len(split)}\0".encode())
        for texts in (split.texts, split.pairs or ()):
            for text in texts:
                content = text.encode()
                sha.update(len(content).to_bytes(8, "little") + content)
        sha.update(np.ascontiguousarray(split.targets).tobytes())
    return sha.hexdigest()


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMES_SHOWN]) + (", ..." if len(names) > _NAMES_SHOWN else "")
