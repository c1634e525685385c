"""Which columns hold the text, its pair and the label: by name, else by content, and always said aloud."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gradatim.data.tables import Table
from gradatim.errors import DataError, did_you_mean

_PAIRS = (
    ("sentence1", "sentence2"), ("premise", "hypothesis"), ("question1", "question2"), ("texta", "textb"),
    ("text1", "text2"), ("sentencea", "sentenceb"), ("1string", "2string"), ("text", "textpair"),
    ("s1", "s2"), ("question", "sentence"), ("query", "passage"), ("query", "document"), ("claim", "evidence"),
)  # fmt: skip
_TEXTS = (
    "text", "sentence", "review", "reviewtext", "content", "comment", "commenttext", "tweet", "question", "query",
    "utterance", "document", "body", "message", "headline", "description", "title", "abstract", "input",
)  # fmt: skip
LABELS = (
    "labeltext", "labelname", "label", "labels", "class", "category", "target", "sentiment", "intent", "topic",
    "emotion", "emotions", "goldlabel", "quality", "entailmentjudgment", "group", "tag", "tags", "coarselabel",
    "y", "stars", "rating",
)  # fmt: skip
_TITLES = {"text": "text", "text_pair": "second text", "label": "label"}
_MOST_LABELS = 0.5  # a column with more distinct values per row than this is no label
_LONGEST_LABEL = 100  # characters on average: what is longer is text
_LISTED = 8


@dataclass(frozen=True, slots=True)
class Columns:
    """Indices of the chosen columns in a table, the stated names of the labels, and how they were chosen."""

    text: int
    text_pair: int | None
    label: int | None
    names: Mapping[str, str]
    notes: tuple[str, ...] = ()


def choose_columns(
    table: Table,
    *,
    text: str | None = None,
    text_pair: str | None = None,
    label: str | None = None,
    labelled: bool = True,
    pairs: bool | None = None,
) -> Columns:
    """Choose columns: what the caller names, else what the source states, well-known names, content.

    `labelled` False looks for text alone; `pairs` True needs a pair, False wants none, None takes one
    where two columns are named like a pair. Raises DataError for a column that does not exist and where
    nothing fits.
    """
    given = {"text": text, "text_pair": text_pair, "label": label}
    how = {role: "given" for role, name in given.items() if name}
    wanted = {role: given[role] or table.roles.get(role) for role in given if labelled or role != "label"}
    if labelled and table.roles and not wanted["label"]:
        raise DataError(f"{table.where} holds text without labels; it can only serve as unlabelled text")
    at = {role: index_of(table, name) for role, name in wanted.items() if name}
    plain = _plain(table)
    if "text" not in at and "text_pair" not in at:
        found = ((plain[a], plain[b]) for a, b in _PAIRS if a in plain and b in plain)
        at |= dict(zip(("text", "text_pair"), next(found, ()), strict=False))
    if pairs is False:
        at.pop("text_pair", None)
    if pairs and "text_pair" not in at:
        raise DataError(
            f"{table.where}: pairs of texts are wanted: name the second one with text_pair. {_listing(table)}"
        )
    # By name both are looked for before either is guessed, so that long label names are not taken for text.
    roles = (("label", LABELS, _fewest), ("text", _TEXTS, _longest))[not labelled :]
    for role, known, _ in roles:
        free = (plain[name] for name in known if name in plain and plain[name] not in at.values())
        if role not in at and (index := next(free, None)) is not None:
            at[role] = index
    for role, _, guess in reversed(roles):
        if role not in at:
            at[role], how[role] = guess(table, [i for i in range(len(table.columns)) if i not in at.values()])
    if len(set(at.values())) < len(at):
        raise DataError(f"{table.where}: text, pair and label must be different columns. {_listing(table)}")
    notes = () if table.roles else _notes(table, at, how, labelled)
    names = table.names.get(table.columns[at["label"]], {}) if labelled else {}
    return Columns(at["text"], at.get("text_pair"), at.get("label"), names, notes)


def _notes(table: Table, at: Mapping[str, int], how: Mapping[str, str], labelled: bool) -> tuple[str, ...]:
    """Which columns were taken, and which of a labelled table were not."""
    notes = [
        f"{title} column: {table.columns[at[role]]!r} ({how.get(role, 'by its name')})"
        for role, title in _TITLES.items()
        if role in at
    ]
    rest = [repr(name) for i, name in enumerate(table.columns) if i not in at.values()]
    if labelled and rest:
        notes.append(f"columns not used: {', '.join(rest[:_LISTED])}{', ...' * (len(rest) > _LISTED)}")
    return tuple(notes)


def _listing(table: Table) -> str:
    return f"Columns: {', '.join(map(repr, table.columns))}"


def find_column(table: Table, names: Iterable[str]) -> int | None:
    """The column of the first of these names that there is, if not to the letter then but for case and punctuation."""
    exact, plain = {name: i for i, name in enumerate(table.columns)}, _plain(table)
    found = (exact.get(name, plain.get(plain_name(name))) for name in names)
    return next((at for at in found if at is not None), None)


def plain_name(name: str) -> str:
    """A name without case and punctuation, by which columns are known."""
    return re.sub(r"[\W_]+", "", name.casefold())


def _plain(table: Table) -> dict[str, int]:
    return {plain_name(name): i for i, name in enumerate(table.columns)}


def index_of(table: Table, name: str) -> int:
    """The column of that name; raises DataError with the nearest where there is none."""
    at = find_column(table, [name])
    if at is None:
        near = did_you_mean(name, table.columns) or "."
        raise DataError(f"{table.where}: no column {name!r}{near} {_listing(table)}")
    return at


def _longest(table: Table, free: Sequence[int]) -> tuple[int, str]:
    """The column with the longest strings."""
    sample = table.sample()
    lengths = {i: sum(len(row[i]) for row in sample if isinstance(row[i], str)) for i in free}
    longest = max(free, key=lambda i: lengths[i], default=None)
    if longest is None or lengths[longest] == 0:
        raise DataError(f"{table.where}: no column holds text. {_listing(table)}; name it with text")
    average = lengths[longest] / len(sample)
    return longest, f"guessed: its strings are the longest, {average:.0f} characters on average"


def _fewest(table: Table, free: Sequence[int]) -> tuple[int, str]:
    """The column with the fewest distinct values, two at least."""
    if not free:
        raise DataError(
            f"{table.where}: beside its one column, {table.columns[0]!r}, a label is needed in a column of its own. "
            "Words with tags stand a word and its tag a line, a blank line after each sentence; "
            "the two files of a parallel text are named as one, train.{en,fr}"
        )
    sample = table.sample()
    values = {i: {str(row[i]) for row in sample} for i in free}
    counts = {i: len(values[i]) for i in free}
    most = max(2, _MOST_LABELS * len(sample))
    short = [i for i in free if sum(map(len, values[i])) <= _LONGEST_LABEL * counts[i]]
    fitting = sorted((i for i in short if 2 <= counts[i] <= most), key=lambda i: counts[i])
    if not fitting:
        raise DataError(
            f"{table.where}: no column looks like a label (few values, each seen often); name it with label, "
            f"or what is to be written from a text with target. {_listing(table)}"
        )
    how = f"guessed: {counts[fitting[0]]} distinct values in the first {len(sample)} rows"
    others = ", ".join(repr(table.columns[i]) for i in fitting[1:])
    return fitting[0], how + (f"; it could also be {others}" if others else "")
