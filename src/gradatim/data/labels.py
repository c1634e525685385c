"""What the values of a label column mean: names of classes, one or several per text, in which order."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from gradatim.errors import DataError
from gradatim.types import Array, Task

_SEPARATORS = ("|", ";", ",")
_DIGITS = re.compile(r"-?\d+(\.0+)?")
_FRACTION = re.compile(r"-?\d*\.\d+")
_REUSED = 0.8  # share of the parts that must occur in several distinct values to call them labels


@dataclass(frozen=True, slots=True)
class Column:
    """The label values of one split: JSON strings and the line each stands on."""

    where: str
    values: Sequence[str]
    lines: Sequence[int]


class Reading:
    """How label values are read: whether several stand in one value, and what they are called.

    `names` maps raw labels to the names they get, in the order the classes are to have; raw labels it
    does not know keep their own name. With a `task` its labels settle whether values are joined.
    """

    def __init__(
        self, columns: Sequence[Column], names: Mapping[str, str] | None = None, task: Task | None = None
    ) -> None:
        self._names = dict(names or {})
        distinct: dict[str, Any] = {}
        for column in columns:
            distinct.update((value, None) for value in column.values)
        decoded = {value: json.loads(value) for value in distinct}
        self.multi_label = any(isinstance(value, list) for value in decoded.values())
        self.separator = None
        if not self.multi_label:
            strings = [value for value in decoded.values() if isinstance(value, str)]
            self.separator = find_separator(strings) if task is None else self._separator_for(task, strings)
        self.multi_label |= self.separator is not None
        self._refuse_mixture(columns, decoded)
        self._sets = {value: self._set_of(content) for value, content in decoded.items()}

    def label_sets(self, values: Sequence[str]) -> list[tuple[str, ...]]:
        """The label names of each value; one each unless `multi_label`."""
        return [self._sets[value] for value in values]

    def ordered(self, present: Iterable[str]) -> tuple[str, ...]:
        """Label names in class order: as given, then numbers by value, then the alphabet."""
        rank = {name: i for i, name in enumerate(self._names.values())}

        def key(name: str) -> tuple[int, int, str]:
            return (rank.get(name, len(rank)), int(name) if re.fullmatch(r"-?\d+", name) else 0, name)

        return tuple(sorted(set(present), key=key))

    def _separator_for(self, task: Task, strings: Sequence[str]) -> str | None:
        """The separator whose parts are all labels of a multi-label task."""
        for separator in _SEPARATORS if task.multi_label else ():
            parts = {
                part.strip() for value in strings if separator in value for part in value.split(separator)
            }
            if parts and all(self._name_of(part) in task.labels for part in parts):
                return separator
        return None

    def _set_of(self, content: Any) -> tuple[str, ...]:
        if isinstance(content, list):
            parts = [part for part in content if part is not None]
        elif self.separator:
            parts = [part.strip() for part in content.split(self.separator)]
        else:
            parts = [content]
        return tuple(dict.fromkeys(self._name_of(part) for part in parts))

    def _name_of(self, part: Any) -> str:
        raw = plain_label(part)
        return self._names.get(raw, raw)

    def _refuse_mixture(self, columns: Sequence[Column], decoded: Mapping[str, Any]) -> None:
        """Raise DataError when one column mixes kinds of labels, naming the first line of each kind."""
        kinds = {value: self._kind(content) for value, content in decoded.items()}
        first: dict[str, tuple[str, int, str]] = {}
        for column in columns:
            for value, line in zip(column.values, column.lines, strict=True):
                kind = kinds[value]
                if kind is not None and kind not in first:
                    first[kind] = (column.where, line, value)
        if "fraction" in first:
            where, line, value = first["fraction"]
            raise DataError(
                f"{where}, line {line}: the label {value} is a fractional number, and classes are wanted: "
                "choose another column with label, or turn the numbers into classes"
            )
        if len(first) > 1:
            seen = "; ".join(
                f"{kind} {value} in line {line} of {where}" for kind, (where, line, value) in first.items()
            )
            raise DataError(
                f"the labels are of mixed types: {seen}; "
                "write all of them the same way, or choose another column with label"
            )

    def _kind(self, content: Any) -> str | None:
        if isinstance(content, list):
            kinds = {kind_of(part) for part in content if part is not None}
            return (
                "list mixing " + " and ".join(sorted(kinds))
                if len(kinds) > 1
                else f"list of {kinds.pop()}"
                if kinds
                else None
            )
        if isinstance(content, str) and self.separator:
            kinds = {kind_of(part.strip()) for part in content.split(self.separator)}
            return "text" if len(kinds) > 1 else kinds.pop()
        return kind_of(content)


def kind_of(content: Any) -> str:
    """The kind of one label: text, number, number as text, fraction, true/false or object."""
    match content:
        case bool():
            return "true/false"
        case int():
            return "number"
        case float():
            return "number" if content.is_integer() else "fraction"
        case str():
            if _DIGITS.fullmatch(content):
                return "number as text"
            return "fraction" if _FRACTION.fullmatch(content) else "text"
        case _:
            return "object"


def plain_label(content: Any) -> str:
    """The name of a raw label: `1`, `1.0` and `"1.0"` are "1", true is "true", strings stay as they are."""
    if isinstance(content, bool):
        return str(content).lower()
    if isinstance(content, (int, float)):
        return str(int(content))
    if isinstance(content, str):
        return content.partition(".")[0] if _DIGITS.fullmatch(content) else content
    return json.dumps(content)


def find_separator(values: Iterable[str]) -> str | None:
    """The character that joins several labels in one value ("joy|love", "3,7"), or None.

    A value with a comma in it may just be a name ("Toys, Games"). Values are several labels only when at
    least four in five of the parts come back in other values, and, for a comma, some value is a single label.
    """
    distinct = set(values)
    for separator in _SEPARATORS:
        split = {value: {part.strip() for part in value.split(separator)} for value in distinct}
        several = [parts for value, parts in split.items() if separator in value]
        if not several or any("" in parts for parts in several):
            continue
        if separator == "," and len(several) == len(distinct):
            continue
        uses = Counter(part for parts in split.values() for part in parts)
        joined = set().union(*several)
        if sum(uses[part] > 1 for part in joined) >= _REUSED * len(joined):
            return separator
    return None


def polarity(value: str, neutral_below: float) -> str | None:
    """A sentiment score as "negative" or "positive" (all JSON), None when nearer to zero than allowed."""
    score = float(json.loads(value))
    if abs(score) < neutral_below:
        return None
    return json.dumps("positive" if score > 0 else "negative")


@dataclass(frozen=True)
class Encoding:
    """Label sets to arrays for a task."""

    task: Task

    @cached_property
    def _index(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.task.labels)}

    def knows(self, label_set: Sequence[str]) -> bool:
        """Whether every label of the set is one of the task's."""
        return all(name in self._index for name in label_set)

    def targets(self, label_sets: Sequence[tuple[str, ...]]) -> Array:
        """Class ids int64 (n,), or zeros and ones float32 (n, labels) for a multi-label task."""
        if not self.task.multi_label:
            return np.array([self._index[labels[0]] for labels in label_sets], dtype=np.int64)
        hot = np.zeros((len(label_sets), len(self.task.labels)), dtype=np.float32)
        for row, labels in enumerate(label_sets):
            hot[row, [self._index[name] for name in labels]] = 1.0
        return hot
