"""Which columns hold the text, its pair and the label: by name, else by content, and always said aloud."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gradatim.data.tables import Table
from gradatim.errors import DataError, did_you_mean

_PAIRS = (
    ("sentence1", "sentence2"), ("premise", "hypothesis"), ("question1", "question2"), ("texta", "textb"),
    ("text1", "text2"), ("sentencea", "sentenceb"), ("1string", "2string"), ("text", "textpair"),
    ("s1", "s2"), ("question", "sentence"), ("query", "passage"), ("query", "document"),
    ("claim", "evidence"),
)  # fmt: skip
_TEXTS = (
    "text", "sentence", "review", "reviewtext", "content", "comment", "commenttext", "tweet", "question",
    "query", "utterance", "document", "body", "message", "headline", "description", "title", "abstract",
    "input",
)  # fmt: skip
_LABELS = (
    "labeltext", "labelname", "label", "labels", "class", "category", "target", "sentiment", "intent",
    "topic", "emotion", "emotions", "goldlabel", "quality", "entailmentjudgment", "group", "tag", "tags",
    "coarselabel", "y", "stars", "rating",
)  # fmt: skip
_MOST_LABELS = 0.5  # a column with more distinct values per row than this is no label


@dataclass(frozen=True, slots=True)
class Layout:
    """What a source says about its own columns; None where it leaves them to be guessed.

    `names` maps raw labels to names in class order. `neutral_below` says that the label is a sentiment
    score: below zero negative, above positive, and left out when nearer to zero than this.
    """

    text: str | None = None
    text_pair: str | None = None
    label: str | None = None
    labelled: bool = True
    names: Mapping[str, str] = field(default_factory=dict)
    neutral_below: float | None = None


@dataclass(frozen=True, slots=True)
class Columns:
    """Indices of the chosen columns in a table, and how they were chosen."""

    text: int
    text_pair: int | None
    label: int | None
    notes: tuple[str, ...] = ()


def choose_columns(
    table: Table,
    *,
    text: str | None,
    text_pair: str | None,
    label: str | None,
    labelled: bool = True,
    pairs: bool | None = None,
) -> Columns:
    """Choose columns: what the caller names, else well-known names, else content.

    `labelled` False looks for text alone; `pairs` True needs a pair, False wants none, None takes one
    where two columns are named like a pair. Raises DataError for a column that does not exist and where
    nothing fits.
    """
    plain = {_plain(name): i for i, name in enumerate(table.columns)}
    first, second, third = (_given(table, name) for name in (text, text_pair, label))
    if first is None and second is None:
        first, second = next(
            ((plain[a], plain[b]) for a, b in _PAIRS if a in plain and b in plain), (None, None)
        )
    if pairs is False:
        second = None
    if pairs and second is None:
        raise DataError(
            f"{table.where}: pairs of texts are wanted: name the second one with text_pair. {_listing(table)}"
        )
    if (
        third is None and labelled
    ):  # before the text is guessed, so that long label names are not taken for it
        third = _named(plain, _LABELS, {first, second})
    sample = table.sample()
    how_text, how_label = ("given" if name else "by its name" for name in (text, label))
    if first is None:
        first = _named(plain, _TEXTS, {second, third})
    if first is None:
        first, how_text = _longest(table, sample, {second, third})
    if third is None and labelled:
        third, how_label = _fewest(table, sample, {first, second})
    chosen = [at for at in (first, second, third) if at is not None]
    if len(set(chosen)) < len(chosen):
        raise DataError(f"{table.where}: text, pair and label must be different columns. {_listing(table)}")
    roles = (
        ("text", first, how_text),
        ("second text", second, "given" if text_pair else "by its name"),
        ("label", third, how_label),
    )
    notes = (f"{role} column: {table.columns[at]!r} ({how})" for role, at, how in roles if at is not None)
    return Columns(first, second, third if labelled else None, tuple(notes))


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.casefold())


def _listing(table: Table) -> str:
    return f"Columns: {', '.join(map(repr, table.columns))}"


def _given(table: Table, name: str | None) -> int | None:
    if name is None:
        return None
    if name in table.columns:
        return table.columns.index(name)
    raise DataError(
        f"{table.where}: no column {name!r}{did_you_mean(name, table.columns)}. {_listing(table)}"
    )


def _named(plain: Mapping[str, int], known: Sequence[str], taken: set[int | None]) -> int | None:
    """The column with the first of the well-known names."""
    return next((plain[name] for name in known if name in plain and plain[name] not in taken), None)


def _longest(table: Table, sample: Sequence[Sequence[Any]], taken: set[int | None]) -> tuple[int, str]:
    """The column with the longest strings."""
    free = [i for i in range(len(table.columns)) if i not in taken]
    lengths = {i: _mean_length([row[i] for row in sample]) for i in free}
    longest = max(lengths, key=lambda i: lengths[i], default=None)
    if longest is None or lengths[longest] == 0:
        raise DataError(f"{table.where}: no column holds text. {_listing(table)}; name it with text")
    return longest, f"guessed: its strings are the longest, {lengths[longest]:.0f} characters on average"


def _fewest(table: Table, sample: Sequence[Sequence[Any]], taken: set[int | None]) -> tuple[int, str]:
    """The column with the fewest distinct values, two at least."""
    free = [i for i in range(len(table.columns)) if i not in taken]
    counts = {i: len({repr(row[i]) for row in sample}) for i in free}
    most = max(2, _MOST_LABELS * len(sample))
    fitting = sorted((i for i in free if 2 <= counts[i] <= most), key=lambda i: counts[i])
    if not fitting:
        raise DataError(
            f"{table.where}: no column looks like a label (few values, each seen often); "
            f"name it with label. {_listing(table)}"
        )
    others = ", ".join(repr(table.columns[i]) for i in fitting[1:])
    how = f"guessed: {counts[fitting[0]]} distinct values in the first {len(sample)} rows"
    return fitting[0], how + (f"; it could also be {others}" if others else "")


def _mean_length(values: Sequence[Any]) -> float:
    lengths = [len(value) for value in values if isinstance(value, str)]
    return sum(lengths) / len(values) if values else 0.0
