"""Data for an existing model: labelled examples in the terms of its task, and plain texts."""

from __future__ import annotations

from collections import Counter

import numpy as np

from gradatim.data.labels import Encoding, Reading
from gradatim.data.rows import read_split
from gradatim.data.source import PathLike, Source, find_source
from gradatim.data.tables import Table
from gradatim.errors import DataError
from gradatim.types import Examples, Task


def load_examples(
    source: PathLike,
    task: Task,
    *,
    text: str | None = None,
    text_pair: str | None = None,
    label: str | None = None,
    split: str = "test",
) -> tuple[Examples, tuple[str, ...]]:
    """Labelled rows to evaluate a model of `task` on, and notes on what was decided.

    Of a source with several splits `split` is used, dev where there is no test; a single table is used
    whole. Rows with labels the task does not have are left out and counted. Integer labels of which none
    is a name of the task are read as positions in its labels. Raises DataError when no row fits.
    """
    found = find_source(source)
    if not (found.layout.labelled or label):
        raise DataError(f"{found.name!r} holds text without labels, nothing to evaluate on")
    chosen, notes = _pick(found, split)
    rows, _, more = read_split(
        found, chosen, None, text=text, text_pair=text_pair, label=label, pairs=task.pairs
    )
    reading = Reading([rows.label_column()], found.names_for(label), task)
    if reading.multi_label and not task.multi_label:
        raise DataError(
            f"{rows.where}: texts have several labels, the model gives one; choose another column with label"
        )
    label_sets = reading.label_sets(rows.labels)
    encoding = Encoding(task)
    if not any(encoding.knows(labels) for labels in label_sets) and _are_positions(label_sets, task):
        label_sets = [tuple(task.labels[int(name)] for name in labels) for labels in label_sets]
        more.append(f"numbers are read as positions in the model's labels: 0 is {task.labels[0]} and so on")
    known = np.array([encoding.knows(labels) for labels in label_sets], dtype=bool)
    unseen = Counter(name for labels in label_sets for name in labels if not encoding.knows([name]))
    listed = ", ".join(f"{name} ({count})" for name, count in unseen.most_common(5))
    if not known.any():
        raise DataError(
            f"{rows.where}: none of its labels ({listed}) is one of the model's: {', '.join(task.labels[:9])}"
        )
    if not known.all():
        more.append(f"{int((~known).sum())} rows left out, the model does not know their labels: {listed}")
        at = np.flatnonzero(known)
        rows, label_sets = rows.take(at), [label_sets[i] for i in at]
    return Examples(rows.texts, rows.pairs, encoding.targets(label_sets)), (*notes, *more)


def load_texts(
    source: PathLike,
    *,
    text: str | None = None,
    text_pair: str | None = None,
    pairs: bool = False,
    keep_empty: bool = False,
) -> tuple[list[str], list[str] | None]:
    """Texts without labels (the train split of a source that has several), and their pairs if `pairs`.

    Also reads a `.txt` with one text a line. Empty texts are left out; with `keep_empty` they come as "",
    so that text i is row i of the source. Raises DataError and SourceError as `load_corpus` does.
    """
    from gradatim.data.arrow import arrow_table
    from gradatim.data.columns import choose_columns

    found = find_source(source)
    table: Table = found.tables["train"]
    columns = choose_columns(
        table,
        text=text or found.layout.text,
        text_pair=(text_pair or found.layout.text_pair) if pairs else None,
        label=None,
        labelled=False,
        pairs=pairs,
    )
    data = arrow_table(table, columns).data
    texts = data.column("text").to_pylist()
    seconds = data.column("pair").to_pylist() if pairs else [""] * len(texts)
    if not keep_empty:
        present = [i for i, both in enumerate(zip(texts, seconds, strict=True)) if None not in both]
        texts, seconds = [texts[i] for i in present], [seconds[i] for i in present]
        if not texts:
            raise DataError(f"{table.where} holds no texts")
    filled = [text or "" for text in texts]
    return filled, [second or "" for second in seconds] if pairs else None


def _pick(found: Source, split: str) -> tuple[str, list[str]]:
    """The split to use and a note when it is not the one asked for."""
    if len(found.tables) == 1:
        only = next(iter(found.tables))
        return only, ["a single table, used whole: a model trained on it has seen most of these rows"]
    if split in found.tables:
        return split, [f"evaluated on {split}"]
    if split == "test" and "dev" in found.tables:
        return "dev", ["there is no test split: evaluated on dev"]
    raise DataError(f"{found.name!r} has no split {split!r}; it has: {', '.join(found.tables)}")


def _are_positions(label_sets: list[tuple[str, ...]], task: Task) -> bool:
    return all(name.isdecimal() and int(name) < len(task.labels) for labels in label_sets for name in labels)
