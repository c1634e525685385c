"""Labelled text of any source, cleaned, split and explained; and plain texts."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, combinations

import numpy as np

from gradatim.data.columns import Columns, choose_columns, find_column
from gradatim.data.flags import join_flags
from gradatim.data.labels import Reading
from gradatim.data.rows import NoRowsError, Rows, arrow_rows, listed, read_rows
from gradatim.data.source import PathLike, find_source
from gradatim.data.splits import HELD_OUT, held_out, missing_splits, shared_rows, strata
from gradatim.data.tables import Table
from gradatim.data.tagged import is_tag
from gradatim.errors import DataError
from gradatim.types import Corpus, Examples, Task
from gradatim.wording import count

SMALLEST = 20  # rows of a made split that measure anything; else dev has twice the share, and test none


def load_corpus(
    source: PathLike,
    *,
    text: str | None = None,
    text_pair: str | None = None,
    label: str | None = None,
    dev: PathLike | None = None,
    test: PathLike | None = None,
    seed: int = 0,
    share: float = HELD_OUT,
) -> Corpus:
    """A labelled data set, split into train, dev and test, with everything decided on the way in `notes`.

    `source` is a path, a catalog name, a `GRADATIM_DATA` name or a hub id (see `find_source` for the order).
    `text`, `text_pair` and `label` name columns (`label` also several of 0 and 1, with commas between them); without
    them columns are guessed. Given splits are used as they are: what they have in common is counted, not removed. A
    missing dev is made from train, a `share` of it (10 %); a single table gives train, dev and test (80/10/10); of
    fewer than 200 rows only dev is made, with 20 %. Made splits are stratified and keep equal texts together.
    Rows without text or label, and dev or test rows with a label that train does not have, are left out and
    counted. Raises DataError for what cannot be used and SourceError for what cannot be fetched.
    """
    found = find_source(source, dev=dev, test=test)
    tables = join_flags(found.tables, label)
    columns = choose_columns(tables["train"], text=text, text_pair=text_pair, label=label)
    notes = [*found.notes, *chain.from_iterable(table.notes for table in tables.values()), *columns.notes]
    splits = _read(tables, columns, notes)
    places: dict[str, str] = {}
    for rows in splits.values():
        places = {**rows.places(), **places}
    reading = Reading(places, columns.names)
    splits = {name: replace(rows, labels=reading.label_sets(rows.labels)) for name, rows in splits.items()}
    task = _task(splits["train"], reading)
    _explain_labels(splits["train"], reading, task, notes)
    _drop_unseen(splits, task, notes)
    notes += leaks({name: rows.keys for name, rows in splits.items()}, "texts")
    if missing := missing_splits(tables):
        _hold_out(splits, task, dict.fromkeys(missing, share), seed, notes)
    examples = {name: rows.examples(task) for name, rows in splits.items()}
    return assembled(found.name, task, examples, notes, licence=found.licence, citation=found.citation)


def assembled(
    name: str, task: Task, examples: Mapping[str, Examples], notes: Iterable[str], **described: str
) -> Corpus:
    """The splits as one corpus, with their digest; `described` may be its licence and its citation."""
    return Corpus(
        name=name,
        task=task,
        train=examples["train"],
        dev=examples["dev"],
        test=examples.get("test"),
        notes=tuple(notes),
        digest=digest(task, examples),
        **described,
    )


def leaks(splits: Mapping[str, Sequence[bytes]], what: str) -> Iterator[str]:
    """A note on every two given splits that share what has equal keys."""
    for one, other in combinations(splits, 2):
        count, total = shared_rows(splits[other], splits[one]), len(splits[other])
        if count:
            share = f"{count} of {total} {other} {what} ({count / total:.1%})"
            yield f"leak: {share} also occur in {one}; kept"


def load_examples(
    source: PathLike,
    task: Task,
    *,
    text: str | None = None,
    text_pair: str | None = None,
    label: str | None = None,
    split: str = "test",
    either: bool = False,
) -> tuple[Examples, tuple[str, ...]]:
    """Labelled rows to evaluate a model of `task` on, and notes on what was decided.

    A model that reads `either` gets pairs where there are some, else texts.

    Of a source with several splits `split` is used, dev where there is no test; a single table is used
    whole. Rows with labels the task does not have are left out and counted. Integer labels of which none
    is a name of the task are read as positions in its labels. Raises DataError when no row fits.
    """
    found = find_source(source)
    chosen, note = pick(found.name, found.tables, split)
    names = task.labels if task.multi_label else ()
    table = join_flags({chosen: found.tables[chosen]}, label, names)[chosen]
    columns = choose_columns(
        table, text=text, text_pair=text_pair, label=label, pairs=None if either else task.pairs
    )
    rows, left_out = read_rows(table, columns, chosen)
    notes = [*found.notes, note, *table.notes, *columns.notes, *left_out]
    reading = Reading(rows.places(), columns.names, task)
    if reading.multi_label and not task.multi_label:
        raise DataError(
            f"{rows.where}: texts have several labels, the model gives one; choose another column with label"
        )
    label_sets = reading.label_sets(rows.labels)
    present = set().union(*label_sets)
    positions = {str(i): name for i, name in enumerate(task.labels)}
    if present and present.isdisjoint(task.labels) and present <= positions.keys():
        label_sets = [tuple(positions[name] for name in labels) for labels in label_sets]
        notes.append(f"numbers are read as positions in the model's labels: 0 is {task.labels[0]} and so on")
    known, unknown = replace(rows, labels=label_sets).known_to(task)
    if not len(known):
        raise DataError(
            f"{rows.where}: none of its labels ({unknown}) is one of the model's: {', '.join(task.labels[:9])}"
        )
    if unknown:
        left = len(rows) - len(known)
        notes.append(f"{count(left, 'row')} left out, the model does not know their labels: {unknown}")
    return known.examples(task), tuple(notes)


def load_texts(
    source: PathLike,
    *,
    text: str | None = None,
    text_pair: str | None = None,
    pairs: bool = False,
) -> tuple[list[str], list[str] | None]:
    """Texts without labels (the train split of a source that has several), and their pairs if `pairs`.

    Also reads a `.txt` with one text a line. Empty texts are left out. Raises DataError and SourceError as
    `load_corpus` does.
    """
    table = find_source(source).tables["train"]
    columns = choose_columns(table, text=text, text_pair=text_pair, labelled=False, pairs=pairs)
    data = arrow_rows(table, columns)
    rows = [row for row in zip(data["text"][:], data["pair"][:], strict=True) if None not in row[: 1 + pairs]]
    if not rows:
        raise DataError(f"{table.where} holds no texts")
    return [text for text, _ in rows], [second for _, second in rows] if pairs else None


def digest(task: Task, examples: Mapping[str, Examples]) -> str:
    """The sha256 of labels, texts, pairs and targets of all splits: equal exactly for equal corpora."""
    sha = hashlib.sha256(repr((task.labels, task.multi_label, task.pairs)).encode())
    for name in ("train", "dev", "test"):
        if name not in examples:
            continue
        split = examples[name]
        sha.update(f"\0{name} {len(split)}\0".encode())
        written = split.targets if split.targets.dtype == object else ()
        for text in chain(split.texts, split.pairs or (), written):
            content = text.encode()
            sha.update(len(content).to_bytes(8, "little") + content)
        if split.targets.dtype != object:
            sha.update(np.ascontiguousarray(split.targets).tobytes())
    return sha.hexdigest()


def _read(tables: Mapping[str, Table], columns: Columns, notes: list[str]) -> dict[str, Rows]:
    """The usable rows of every split; the columns chosen on train are looked for by name in the others."""
    chosen = (columns.text, columns.text_pair, columns.label)
    text, pair, label = (None if at is None else tables["train"].columns[at] for at in chosen)
    splits: dict[str, Rows] = {}
    for name in ("train", "dev", "test"):
        if name not in tables:
            continue
        if name == "test" and label and find_column(tables[name], [label]) is None:
            notes.append(f"test: not used: {tables[name].where} has no column {label!r}")
            continue
        same = choose_columns(tables[name], text=text, text_pair=pair, label=label, pairs=pair is not None)
        try:
            splits[name], left_out = read_rows(tables[name], same, name)
        except NoRowsError as error:
            if name != "test":
                raise
            left_out = [f"test: not used: {error}"]  # benchmark sets often hide the labels of test
        notes += left_out
    return splits


def pick(name: str, splits: Collection[str], split: str) -> tuple[str, str]:
    """The split of a source to use, and a note on it."""
    if len(splits) == 1:
        return "train", "a single table, used whole: a model trained on it has seen most of these rows"
    if split in splits:
        return split, f"evaluated on {split}"
    if split == "test" and "dev" in splits:
        return "dev", "there is no test split: evaluated on dev"
    raise DataError(f"{name!r} has no split {split!r}; it has: {', '.join(splits)}")


def _task(train: Rows, reading: Reading) -> Task:
    names = reading.ordered(chain.from_iterable(train.labels))
    if len(names) < 2:
        only = f"only one: {names[0]!r}" if names else "none"
        raise DataError(
            f"{train.where}: at least two different labels are needed to learn from, the data has {only}"
        )
    if "O" in names and all(map(is_tag, names)):
        raise DataError(
            f"{train.where}: its labels ({listed(names)}) are tags of words, which are read from a text file with a "
            "word and its tag a line, a blank line after each sentence, or a table with lists of tokens and ner_tags"
        )
    return Task(names, multi_label=reading.multi_label, pairs=train.paired)


def _explain_labels(train: Rows, reading: Reading, task: Task, notes: list[str]) -> None:
    if task.multi_label:
        joined = f", joined by {reading.separator!r}" if reading.separator else ""
        average = sum(map(len, train.labels)) / len(train)
        notes.append(
            f"several labels per text{joined}: {count(len(task.labels), 'label')}, {average:.2f} per text"
        )
    counts = Counter(chain.from_iterable(train.labels))
    if once := [name for name in task.labels if counts[name] == 1]:
        notes.append(
            f"{count(len(once), 'label')} with one example only, which stays in train: {listed(once)}"
        )
    folded = Counter(name.casefold() for name in task.labels)
    if alike := [name for name in task.labels if folded[name.casefold()] > 1]:
        notes.append(f"labels that differ only in case are kept apart: {listed(alike)}")
    labels_of: dict[bytes, set[frozenset[str]]] = defaultdict(set)
    for key, labels in zip(train.keys, train.labels, strict=True):
        labels_of[key].add(frozenset(labels))
    if torn := sum(len(sets) > 1 for sets in labels_of.values()):
        notes.append(f"{count(torn, 'text')} found more than once, with different labels")


def _drop_unseen(splits: dict[str, Rows], task: Task, notes: list[str]) -> None:
    """Leave out dev and test rows with a label that train does not have."""
    for name, rows in list(splits.items()):
        splits[name], unseen = rows.known_to(task)
        if not unseen:
            continue
        left_out = len(rows) - len(splits[name])
        notes.append(
            f"{name}: {count(left_out, 'row')} left out, their labels do not occur in train: {unseen}"
        )
        if not len(splits[name]):
            if name == "dev":
                raise DataError(f"no label of dev occurs in train: {unseen}")
            del splits[name]


def _hold_out(
    splits: dict[str, Rows], task: Task, shares: dict[str, float], seed: int, notes: list[str]
) -> None:
    """Make the missing splits out of train."""
    whole = splits["train"]
    if shares["dev"] == HELD_OUT and HELD_OUT * len(whole) < SMALLEST:
        shares = {"dev": 2 * HELD_OUT}
        notes.append(
            f"{count(len(whole), 'row')} are too few for a dev and a test split of a tenth each: dev has a fifth"
        )
    made = held_out(whole.keys, shares, seed, strata(whole.labels))
    if not len(made["dev"]):
        raise DataError(
            f"{whole.where}: no row can be held out to measure on, every label has a single text; "
            "add examples, or give a dev file"
        )
    splits |= {name: whole.take(rows) for name, rows in made.items() if len(rows)}
    sizes = ", ".join(f"{name} {len(rows)}" for name, rows in made.items())
    notes.append(f"split made from {count(len(whole), 'row')}, stratified, seed {seed}: {sizes}")
    if repeated := len(whole) - len(set(whole.keys)):
        notes.append(
            f"{count(repeated, 'row')} with the text of another; equal texts are on one side of the split"
        )
    if absent := set(task.labels).difference(*splits["dev"].labels):
        notes.append(f"dev has no example of {count(len(absent), 'label')}: {listed(sorted(absent))}")
