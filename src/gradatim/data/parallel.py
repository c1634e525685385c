"""Texts with what each of them becomes: translations, summaries, any text to text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gradatim.data.annotated import SETS, annotated_files
from gradatim.data.columns import choose_columns
from gradatim.data.rows import arrow_rows
from gradatim.data.source import find_source
from gradatim.data.textfile import open_text
from gradatim.errors import DataError
from gradatim.wording import count

BRACES = re.compile(r"\{([^{},]+),([^{},]+)\}")  # train.{en,de}.gz: the two files of a parallel text


class Parallel(NamedTuple):
    """Row i of `sources` becomes row i of `targets`."""

    sources: list[str]
    targets: list[str]

    def take(self, rows: list[int]) -> Parallel:
        return Parallel(*([side[row] for row in rows] for side in self))


def load_parallel(
    source: str, *, text: str | None = None, text_pair: str | None = None
) -> tuple[dict[str, Parallel], list[str]]:
    """The splits of a parallel text and notes on what was left out, as pairs of which one side is empty.

    `source` is two files of as many lines, written as one ("train.{en,de}.gz"); a known set ("multi30k/en-de"); or
    a table, folder, catalog name or hub id with a column for each side, `text` and `text_pair`. Raises DataError
    where two files do not have as many lines, naming both numbers and where the lines stop to fit.
    """
    said: Sequence[str] = ()
    if BRACES.search(source):
        splits = {"train": read_pair(*(Path(name).expanduser() for name in both(source)))}
    elif source in SETS or source.rpartition("/")[0] in SETS:
        splits = {}
        for split, files in annotated_files(source).items():
            if len(files) != 2:
                raise DataError(f"{source!r} is no parallel text")
            splits[split] = read_pair(*files)
    else:
        splits, said = _columns(source, text, text_pair)
    notes = [*said]
    for split, pairs in list(splits.items()):
        kept = [i for i, (one, other) in enumerate(zip(*pairs, strict=True)) if one.strip() and other.strip()]
        if not kept:
            raise DataError(f"{source}: {split} holds no pair of texts")
        if len(kept) < len(pairs.sources):
            notes.append(
                f"{split}: {count(len(pairs.sources) - len(kept), 'pair')} left out, one side is empty"
            )
            splits[split] = pairs.take(kept)
    return splits, notes


def both(name: str) -> tuple[str, str]:
    """The two names that one with braces stands for."""
    found = BRACES.search(name)
    if found is None:
        raise DataError(f"{name!r} is not two files: write what differs in braces, as train.{{en,de}}.txt")
    first, second = (name[: found.start()] + part + name[found.end() :] for part in found.groups())
    return first, second


def read_pair(source: Path, target: Path) -> Parallel:
    """The lines of two files; raises DataError if there are not as many in both."""
    sides = []
    for path in (source, target):
        with open_text(path) as stream:
            sides.append([line.rstrip("\r\n") for line in stream])
    sources, targets = sides
    if len(sources) != len(targets):
        line = misfit(sources, targets) + 1
        raise DataError(
            f"{source} has {len(sources):,} lines and {target} {len(targets):,}: they stop to fit about line "
            f"{line:,}: {sources[line - 1 : line]} and {targets[line - 1 : line]}"
        )
    return Parallel(sources, targets)


def misfit(sources: list[str], targets: list[str]) -> int:
    """Where one file has lines that the other lacks, if all those are in one place: the first line that does not fit.

    Lines before it are compared with the line of the same number and lines after it with the one shifted by as many
    as are missing; the place with the least difference of logarithms of lengths in all is it.
    """
    shift = len(sources) - len(targets)
    longer, shorter = (sources, targets) if shift > 0 else (targets, sources)
    long, short = (np.log([len(line) + 1 for line in side]) for side in (longer, shorter))
    if not len(short):
        return 0
    offset = np.median(long) - np.median(short)
    straight = np.abs(long[: len(short)] - short - offset)
    shifted = np.abs(long[abs(shift) :] - short - offset)
    cost = np.append(0, np.cumsum(straight)) + np.append(np.cumsum(shifted[::-1])[::-1], 0)
    return int(cost.argmin())


def _columns(
    source: str, text: str | None, text_pair: str | None
) -> tuple[dict[str, Parallel], Sequence[str]]:
    """Both sides of every split, and which columns were taken; those of train are looked for by name in the others."""
    tables = find_source(source).tables
    columns = choose_columns(tables["train"], text=text, text_pair=text_pair, labelled=False, pairs=True)
    text, text_pair = (
        tables["train"].columns[at] for at in (columns.text, columns.text_pair) if at is not None
    )
    splits = {}
    for split, table in tables.items():
        same = choose_columns(table, text=text, text_pair=text_pair, labelled=False, pairs=True)
        data = arrow_rows(table, same)
        splits[split] = Parallel(*([one or "" for one in data[side][:]] for side in ("text", "pair")))
    return splits, columns.notes
