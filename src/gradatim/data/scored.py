"""Texts, or pairs of texts, with a number each: what regression learns from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gradatim.data.columns import choose_columns
from gradatim.data.corpus import pick
from gradatim.data.rows import read_rows
from gradatim.data.source import PathLike, find_source
from gradatim.data.splits import HELD_OUT, held_out
from gradatim.data.tables import Table
from gradatim.errors import DataError
from gradatim.types import Array


@dataclass(frozen=True, slots=True)
class ScoredTexts:
    """Texts in columns; `scores` is float32 (n,), and `pairs` None where texts stand alone."""

    texts: Sequence[str]
    pairs: Sequence[str] | None
    scores: Array

    def __len__(self) -> int:
        return len(self.texts)


def load_scored(
    source: PathLike,
    *,
    text: str | None = None,
    text_pair: str | None = None,
    score: str | None = None,
    dev: PathLike | None = None,
    seed: int = 0,
    share: float = HELD_OUT,
) -> tuple[ScoredTexts, ScoredTexts, tuple[str, ...]]:
    """Train and dev of a source (see `find_source`), and notes on what was decided.

    The number is in the column `score`, unless another is named. Without a dev split a `share` of train is
    held out. Raises DataError with file and line where a score is not a number.
    """
    found = find_source(source, dev=dev)
    notes = list(found.notes)
    splits = {
        split: _read(found.tables[split], split, notes, text=text, text_pair=text_pair, label=score)
        for split in ("train", "dev")
        if split in found.tables
    }
    train, keys = splits["train"]
    if "dev" in splits:
        return train, splits["dev"][0], tuple(notes)
    made = held_out(keys, {"dev": share}, seed)
    notes.append(f"dev is {len(made['dev'])} of {len(train)} rows of train, held out with seed {seed}")
    return _take(train, made["train"]), _take(train, made["dev"]), tuple(notes)


def load_scored_examples(
    source: PathLike,
    split: str = "test",
    *,
    text: str | None = None,
    text_pair: str | None = None,
    label: str | None = None,
) -> tuple[ScoredTexts, tuple[str, ...]]:
    """What to evaluate a model on, and notes: as `load_examples` chooses."""
    found = find_source(source)
    chosen, note = pick(found.name, found.tables, split)
    notes = [*found.notes, note]
    scored, _ = _read(found.tables[chosen], chosen, notes, text=text, text_pair=text_pair, label=label)
    return scored, tuple(notes)


def _read(
    table: Table, split: str, notes: list[str], **columns: str | None
) -> tuple[ScoredTexts, list[bytes]]:
    if columns["label"] is None and "label" not in table.roles and "score" in table.columns:
        columns["label"] = "score"
    chosen = choose_columns(table, **columns)  # type: ignore[arg-type]
    rows, left_out = read_rows(table, chosen, split)
    notes += [*table.notes, *chosen.notes, *left_out]
    scores = np.array(
        [
            _number(value, table.place(line))
            for value, line in zip(rows.labels, rows.data["line"][:], strict=True)
        ],
        dtype=np.float32,
    )
    pairs = rows.texts("pair") if rows.paired else None
    return ScoredTexts(rows.texts("text"), pairs, scores), rows.keys


def _number(value: str, where: str) -> float:
    """A label as it is stored, JSON of a number or of a string that is one."""
    try:
        number = float(value.strip('"'))
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise DataError(f"{where}: the score {value} is not a number")
    return number


def _take(texts: ScoredTexts, at: Array) -> ScoredTexts:
    pairs = None if texts.pairs is None else [texts.pairs[i] for i in at]
    return ScoredTexts([texts.texts[i] for i in at], pairs, texts.scores[at])
