"""Annotated files of any kind as splits: recognised, read, and divided where no dev was given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Generic, TypeVar

from gradatim.data.annotated import SETS, annotated_files
from gradatim.data.corpus import leaks, pick
from gradatim.data.source import PathLike, split_files
from gradatim.data.splits import HELD_OUT, missing_splits, split_rows
from gradatim.data.textfile import decompressed
from gradatim.errors import DataError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Form(Generic[T]):
    """How a kind of examples is read from files with these suffixes, what they are called, and which belong together.

    Equal `keys` in two splits are a leak of `leaking`. Where splits are made, examples whose keys of `together` are
    equal stay on one side; it also says what these are.
    """

    read: Callable[[Path], list[T]]
    suffixes: Sequence[str]
    what: str
    leaking: str
    keys: Callable[[Sequence[T]], list[bytes]]
    together: Callable[[Sequence[T]], tuple[list[bytes], str]]


def looks(source: PathLike, like: Callable[[Path], bool]) -> bool:
    """Whether a source holds files of a kind, as its training file tells: a file, a folder, or a set by its name."""
    path = Path(source).expanduser()
    if path.is_dir():
        return any(like(item) for item in path.iterdir() if decompressed(item).stem.lower() == "train")
    if path.is_file():
        return like(path)
    name, _, split = str(source).rpartition("/")
    if str(source) not in SETS and split not in SETS.get(name, {}):
        return False
    return all(map(like, next(iter(annotated_files(str(source)).values()))))


def divided(
    source: PathLike, form: Form[T], *, dev: PathLike | None, test: PathLike | None, seed: int
) -> tuple[dict[str, list[T]], list[str]]:
    """The examples of every split, and notes.

    A missing dev is made from train (10 %), of a single file dev and test are (80/10/10); examples that belong
    together stay so. Raises DataError for what cannot be used.
    """
    files: dict[str, list[Path]] = files_of(source, form) | {
        split: [Path(path).expanduser()] for split, path in (("dev", dev), ("test", test)) if path is not None
    }
    if "train" not in files:
        raise DataError(
            f"{source} has no {form.what} to train on, only: {', '.join(files)}; "
            f"name one of these to divide it: {source}/{next(iter(files))}"
        )
    splits: dict[str, list[T]] = {
        split: _read(form, files[split]) for split in ("train", "dev", "test") if split in files
    }
    notes = list(leaks({split: form.keys(rows) for split, rows in splits.items()}, form.leaking))
    if missing := missing_splits(splits):
        notes.append(_hold_out(splits, missing, form, seed))
    return splits, notes


def one_split(source: PathLike, form: Form[T], split: str) -> tuple[list[T], str]:
    """The examples of one split of a source, and a note on which: as `load_examples` chooses."""
    files = files_of(source, form)
    chosen, note = pick(str(source), files, split)
    return _read(form, files[chosen]), note


def apart(rows: Sequence[T], form: Form[T], shares: Sequence[float], seed: int) -> tuple[list[list[T]], str]:
    """What remains and a part for each share, examples that belong together in one, and which these are."""
    groups, how = form.together(rows)
    parts = split_rows(groups, [""] * len(rows), shares, seed)
    return [[rows[row] for row in part] for part in parts], how


def name_of(source: PathLike) -> str:
    """What a source is called: a file without its suffixes, a folder, or the name itself."""
    path = Path(source).expanduser()
    return (
        decompressed(path).stem if path.is_file() else path.resolve().name if path.is_dir() else str(source)
    )


def files_of(source: PathLike, form: Form[T]) -> dict[str, list[Path]]:
    """The files of every split of a source: a folder with train, dev and test, a file as "train", or a set by its name.

    Raises DataError for a folder without train and for a name that is not known.
    """
    path = Path(source).expanduser()
    return split_files(path, form.suffixes) if path.is_dir() else annotated_files(str(source))


def _read(form: Form[T], files: Sequence[Path]) -> list[T]:
    return list(chain.from_iterable(map(form.read, files)))


def _hold_out(splits: dict[str, list[T]], missing: Sequence[str], form: Form[T], seed: int) -> str:
    """Make the missing splits out of train, and say how."""
    whole, what = splits["train"], form.what
    parts, how = apart(whole, form, [HELD_OUT] * len(missing), seed)
    made = dict(zip(["train", *missing], parts, strict=True))
    if not made["dev"]:
        raise DataError(f"no {what} can be held out to measure on; add {what}, or give a dev file")
    splits |= {name: rows for name, rows in made.items() if rows}
    sizes = ", ".join(f"{name} {len(rows):,}" for name, rows in made.items())
    return f"split made from {len(whole):,} {what}, {how} together, seed {seed}: {sizes}"
