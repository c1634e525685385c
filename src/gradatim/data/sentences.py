"""Sentences with a tag for every word, split and explained, as a corpus to climb on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

import numpy as np

from gradatim.data.annotated import SETS, annotated_files
from gradatim.data.corpus import HELD_OUT, digest, leaks, pick
from gradatim.data.rows import listed
from gradatim.data.source import PathLike, split_files
from gradatim.data.splits import content_key, split_rows
from gradatim.data.tagged import SUFFIXES, Sentence, looks_tagged, read_tagged, tag_names
from gradatim.data.textfile import decompressed
from gradatim.errors import DataError
from gradatim.types import Corpus, Examples, Task

NO_BREAK = "\u00a0"  # stands for a space inside a word


def is_tagged(source: PathLike) -> bool:
    """Whether a source holds sentences with a tag for every word, without being told so."""
    path = Path(source).expanduser()
    if path.is_dir():
        found = [item for item in path.iterdir() if decompressed(item).stem.lower() == "train"]
        return any(map(looks_tagged, found))
    if path.is_file() or str(source) not in SETS:
        return path.is_file() and looks_tagged(path)
    return all(map(looks_tagged, annotated_files(str(source)).get("train", [path])))


def load_tagged(
    source: PathLike, *, dev: PathLike | None = None, test: PathLike | None = None, seed: int = 0
) -> Corpus:
    """Tagged sentences of a file, a folder with train, dev and test, or a set under `GRADATIM_DATA`.

    A missing dev is made from train (10 %), of a single file dev and test are (80/10/10); equal sentences stay
    together. Raises DataError for what cannot be used.
    """
    files = _files(source) | {
        split: [Path(path).expanduser()] for split, path in (("dev", dev), ("test", test)) if path is not None
    }
    if "train" not in files:
        raise DataError(f"{source} has no sentences to train on, only: {', '.join(files)}")
    splits: dict[str, list[Sentence]] = {
        split: _read(files[split]) for split in ("train", "dev", "test") if split in files
    }
    notes = list(leaks({split: list(map(_key, rows)) for split, rows in splits.items()}, "sentences"))
    missing = ["dev", "test"] if len(splits) == 1 else [] if "dev" in splits else ["dev"]
    if missing:
        notes.append(_hold_out(splits, missing, seed))
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
    return Corpus(
        name=_name(source),
        task=task,
        train=examples["train"],
        dev=examples["dev"],
        test=examples.get("test"),
        notes=tuple(notes),
        digest=digest(task, examples),
    )


def load_tagged_examples(source: PathLike, split: str = "test") -> tuple[Examples, tuple[str, ...]]:
    """Tagged sentences to evaluate a model on, and a note on which: as `load_examples` chooses."""
    files = _files(source)
    chosen, note = pick(str(source), files, split)
    return _examples(_read(files[chosen])), (note,)


def _files(source: PathLike) -> dict[str, list[Path]]:
    path = Path(source).expanduser()
    return split_files(path, SUFFIXES) if path.is_dir() else annotated_files(str(source))


def _name(source: PathLike) -> str:
    path = Path(source).expanduser()
    return (
        decompressed(path).stem if path.is_file() else path.resolve().name if path.is_dir() else str(source)
    )


def _read(files: Sequence[Path]) -> list[Sentence]:
    return list(chain.from_iterable(map(read_tagged, files)))


def _key(sentence: Sentence) -> bytes:
    return content_key(" ".join(sentence.words), None)


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


def _hold_out(splits: dict[str, list[Sentence]], missing: Sequence[str], seed: int) -> str:
    """Make the missing splits out of train, and say how."""
    whole = splits["train"]
    at = split_rows(list(map(_key, whole)), [""] * len(whole), [HELD_OUT] * len(missing), seed)
    made = dict(zip(["train", *missing], at, strict=True))
    if not len(made["dev"]):
        raise DataError("no sentence can be held out to measure on; add sentences, or give a dev file")
    splits |= {name: [whole[row] for row in rows] for name, rows in made.items() if len(rows)}
    sizes = ", ".join(f"{name} {len(rows):,}" for name, rows in made.items())
    return f"split made from {len(whole):,} sentences, equal ones together, seed {seed}: {sizes}"
