"""One split as usable rows: texts, pairs, labels and keys, with the unusable rows counted out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gradatim.data.arrow import arrow_table, take_texts, texts_at
from gradatim.data.columns import Columns, choose_columns
from gradatim.data.labels import Column, polarity
from gradatim.data.source import Source
from gradatim.data.splits import content_key
from gradatim.data.tables import Table
from gradatim.errors import DataError
from gradatim.types import Array

_LINES_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Rows:
    """The usable rows of a split. `labels` are JSON strings, empty when unlabelled; `lines` their places."""

    where: str
    texts: Sequence[str]
    pairs: Sequence[str] | None
    labels: Sequence[str]
    lines: Array

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: Array) -> Rows:
        """The rows at these positions, in that order."""
        return Rows(
            self.where,
            take_texts(self.texts, rows),
            None if self.pairs is None else take_texts(self.pairs, rows),
            [self.labels[i] for i in rows.tolist()] if self.labels else [],
            self.lines[rows],
        )

    def keys(self) -> list[bytes]:
        """A key per row, equal for equal content."""
        pairs: Sequence[str | None] = [None] * len(self) if self.pairs is None else self.pairs
        return [content_key(text, pair) for text, pair in zip(self.texts, pairs, strict=True)]

    def label_column(self) -> Column:
        """The labels with their places, for `Reading`."""
        return Column(self.where, self.labels, self.lines.tolist())


def read_rows(table: Table, columns: Columns, split: str) -> tuple[Rows, list[str]]:
    """The usable rows of a table and what was left out; raises DataError when none is left."""
    data = arrow_table(table, columns).data
    text_column, pair_column, label_column = (data.column(name) for name in ("text", "pair", "label"))
    lines = data.column("line").to_numpy()
    has_text = _valid(text_column)
    if columns.text_pair is not None:
        has_text &= _valid(pair_column)
    has_label = _valid(label_column) if columns.label is not None else np.ones_like(has_text)
    keep = np.flatnonzero(has_text & has_label)
    notes = [
        f"{split}: {count} of {len(lines)} rows without {what} left out ({_places(lines[mask])})"
        for what, mask in (("text", ~has_text), ("a label", has_text & ~has_label))
        if (count := int(mask.sum()))
    ]
    if not len(keep):
        left_out = f"; {'; '.join(notes)}" if notes else ""
        raise DataError(f"{table.where} holds no usable rows{left_out}")
    rows = Rows(
        table.where,
        texts_at(text_column, keep),
        texts_at(pair_column, keep) if columns.text_pair is not None else None,
        label_column.take(keep).to_pylist() if columns.label is not None else [],
        lines[keep],
    )
    return rows, notes


def read_split(
    source: Source, split: str, like: tuple[Table, Columns] | None, **choice: Any
) -> tuple[Rows, Columns, list[str]]:
    """Rows, columns and notes of one split of a source.

    `like` is a split whose choice of columns is taken over by name; `choice` goes to `choose_columns`.
    """
    table = source.tables[split]
    if like is None:
        columns = choose_columns(table, **_with_known(source, choice))
        notes = [*table.notes, *(() if source.layout.text else columns.notes)]
    else:
        first, chosen = like
        named = {
            key: None if at is None else first.columns[at]
            for key, at in (("text", chosen.text), ("text_pair", chosen.text_pair), ("label", chosen.label))
        }
        columns = choose_columns(
            table, text=named["text"], text_pair=named["text_pair"], label=named["label"],
            labelled=chosen.label is not None, pairs=chosen.text_pair is not None,
        )  # fmt: skip
        notes = list(table.notes)
    rows, left_out = read_rows(table, columns, split)
    if source.layout.neutral_below is not None and columns.label is not None:
        rows, neutral = _polar(rows, source.layout.neutral_below)
        left_out.append(
            f"{split}: {neutral} rows with |score| < {source.layout.neutral_below} left out as neutral"
        )
    return rows, columns, notes + left_out


def _with_known(source: Source, choice: dict[str, Any]) -> dict[str, Any]:
    """The caller's columns, where he names none those the source knows."""
    merged = dict(choice)
    for key in ("text", "text_pair", "label"):
        merged[key] = choice.get(key) or getattr(source.layout, key)
    if choice.get("pairs") is False:
        merged["text_pair"] = None
    return merged


def _polar(rows: Rows, neutral_below: float) -> tuple[Rows, int]:
    labels = [polarity(value, neutral_below) for value in rows.labels]
    keep = np.array([i for i, label in enumerate(labels) if label is not None], dtype=np.int64)
    kept = replace(rows.take(keep), labels=[label for label in labels if label is not None])
    return kept, len(rows) - len(kept)


def _valid(column: Any) -> Array:
    return np.asarray(column.is_valid().to_numpy(), dtype=bool).copy()


def _places(lines: Array) -> str:
    shown = ", ".join(str(line) for line in lines[:_LINES_SHOWN])
    return f"line{'s' * (len(lines) > 1)} {shown}{', ...' * (len(lines) > _LINES_SHOWN)}"
