"""What the values of a label column mean: names of classes, one or several per text, in which order."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from gradatim.data.literal import read_literal
from gradatim.errors import DataError
from gradatim.types import Array, Task

_SEPARATORS = ("|", ";", ",")
_WHOLE = re.compile(r"(-?\d+)(\.0+)?")
_FRACTION = re.compile(r"-?\d*\.\d+")
_REUSED = 0.8  # share of the parts that must occur in several distinct values to call them labels


class Reading:
    """How label values are read: whether several stand in one value, and what they are called.

    `places` holds every distinct value, as JSON, and the place where it stands first. `names` maps raw
    labels to the names they get, in the order the classes are to have; raw labels it does not know keep
    their own name. With a `task` its labels settle whether values are joined. Raises DataError where one
    column mixes kinds of labels, naming the first place of each, for fractional numbers and for objects.
    """

    def __init__(
        self, places: Mapping[str, str], names: Mapping[str, str] | None = None, task: Task | None = None
    ) -> None:
        self._names = names or {}
        contents = {value: read_literal(json.loads(value)) for value in places}
        strings = [content for content in contents.values() if isinstance(content, str)]
        lists = any(isinstance(content, list) for content in contents.values())
        self.separator = None
        if not lists:
            self.separator = find_separator(strings) if task is None else self._separator_for(task, strings)
        self.multi_label = lists or self.separator is not None
        parts = {value: self._parts(content) for value, content in contents.items()}
        _refuse_mixture({value: _kind(contents[value], parts[value]) for value in places}, places)
        self._sets = {value: tuple(dict.fromkeys(map(self._name_of, parts[value]))) for value in places}

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
            parts = [part.strip() for text in strings if separator in text for part in text.split(separator)]
            if parts and all(self._name_of(part) in task.labels for part in parts):
                return separator
        return None

    def _parts(self, content: Any) -> list[Any]:
        if isinstance(content, list):
            return [part for part in content if part is not None]
        if self.separator and isinstance(content, str):
            return [part.strip() for part in content.split(self.separator)]
        return [content]

    def _name_of(self, part: Any) -> str:
        """The given name of a raw label; `1`, `1.0` and `"1.0"` are "1", true is "true"."""
        raw = part if isinstance(part, str) else json.dumps(part)
        whole = _WHOLE.fullmatch(raw)
        raw = whole[1] if whole else raw
        return self._names.get(raw, raw)


def find_separator(values: Iterable[str]) -> str | None:
    """The character that joins several labels in one value ("joy|love", "3,7"), or None.

    A value with a comma in it may just be a name ("Toys, Games"). Values are several labels only when at
    least four in five of the parts come back in other values, and, for a comma, some value is a single label.
    """
    distinct = set(values)
    for separator in _SEPARATORS:
        split = {value: {part.strip() for part in value.split(separator)} for value in distinct}
        several = [parts for value, parts in split.items() if separator in value]
        joined = set().union(*several)
        if not several or "" in joined or (separator == "," and len(several) == len(distinct)):
            continue
        uses = Counter(part for parts in split.values() for part in parts)
        if sum(uses[part] > 1 for part in joined) >= _REUSED * len(joined):
            return separator
    return None


def targets(task: Task, label_sets: Sequence[tuple[str, ...]]) -> Array:
    """Class ids int64 (n,), or zeros and ones float32 (n, labels) for a multi-label task."""
    index = {name: i for i, name in enumerate(task.labels)}
    if not task.multi_label:
        return np.array([index[labels[0]] for labels in label_sets], dtype=np.int64)
    hot = np.zeros((len(label_sets), len(index)), dtype=np.float32)
    for row, labels in enumerate(label_sets):
        hot[row, [index[name] for name in labels]] = 1.0
    return hot


def _refuse_mixture(kinds: Mapping[str, str], places: Mapping[str, str]) -> None:
    """Raise DataError for what is no label, and when there is more than one kind, naming the first of each."""
    first: dict[str, str] = {}
    for value, kind in kinds.items():
        first.setdefault(kind, value)
        if "fraction" in kind:
            raise DataError(
                f"{places[value]}: the label {value} is a fractional number, and classes are wanted: "
                "choose another column with label, or turn the numbers into classes"
            )
        if "object" in kind:
            raise DataError(
                f"{places[value]}: the label {value:.80} is an object or a list in a list, and names are wanted: "
                "choose another column with label, or write the name of the class in its place"
            )
    first.pop("empty list", None)
    if len(first) > 1:
        seen = "; ".join(f"{kind} {value} in {places[value]}" for kind, value in first.items())
        raise DataError(
            f"the labels are of mixed types: {seen}; "
            "write all of them the same way, or choose another column with label"
        )


def _kind(content: Any, parts: Sequence[Any]) -> str:
    """The kind of a value with these parts; joined parts of several kinds are text."""
    kinds = sorted(set(map(_kind_of, parts)))
    if not isinstance(content, list):
        return kinds[0] if len(kinds) == 1 else "text"
    return f"list {'mixing' if len(kinds) > 1 else 'of'} {' and '.join(kinds)}" if kinds else "empty list"


def _kind_of(part: Any) -> str:
    match part:
        case bool():
            return "true/false"
        case int():
            return "number"
        case float():
            return "number" if part.is_integer() else "fraction"
        case str() if _WHOLE.fullmatch(part):
            return "number as text"
        case str():
            return "fraction" if _FRACTION.fullmatch(part) else "text"
        case _:
            return "object"
