"""A field of a foreign config.json, and the places of our configuration that hold its value."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass
from functools import reduce
from operator import getitem
from typing import Any, Literal

from gradatim.errors import did_you_mean

Record = Mapping[str, Any]

ACTIVATIONS = {
    "gelu": "gelu", "gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh", "relu": "relu", "silu": "silu",
    "swish": "silu",
}  # fmt: skip
REQUIRED = object()


@dataclass(frozen=True, slots=True)
class Setting:
    """A field of config.json, and the places of our configuration that hold its value: "block.width num_layers".

    default      what it means when it is absent; None: its places keep what they have
    values       theirs -> ours, where they differ; a tuple holds one value for each place
    least        of a number
    form         theirs is a whole "number", a "real" one, a "flag", "numbers" for each of the places, or "names" by
                 number
    read, write  ours of (theirs, all fields), and the way back, of (ours, our record)

    Of two settings with one foreign name the later is the one that is written.
    """

    theirs: str
    ours: str
    _: KW_ONLY
    default: Any = REQUIRED
    values: Mapping[str, Any] | None = None
    least: int = 0
    form: Literal["number", "real", "flag", "numbers", "names"] = "number"
    read: Callable[[Any, Record], Any] = lambda value, fields: value
    write: Callable[[Any, Record], Any] = lambda value, record: value

    def faults(self, fields: Record) -> Iterator[str]:
        value = fields[self.theirs]
        if value is None:
            return
        if self.values is not None:
            if str(value) not in self.values:
                near, known = did_you_mean(str(value), self.values), ", ".join(self.values)
                yield f"has {self.theirs} '{value}'{near}; known: {known}"
        elif self.form == "names":
            if not isinstance(value, Mapping) or {*map(str, value)} != {*map(str, range(len(value)))}:
                yield f"has {self.theirs} {value!r}, which names nothing by number from 0"
        elif self.form == "numbers":
            places = len(self.ours.split())
            if not isinstance(value, list | tuple) or len(value) != places:
                yield f"lacks the {places} numbers {self.theirs}"
            elif not all(is_a("number", one) and one >= self.least for one in value):
                yield f"has {self.theirs} {value}; each must be at least {self.least}"
        elif not is_a(self.form, value):
            yield f"lacks the {self.form} {self.theirs}" + f", which is no {value!r}" * (
                value is not REQUIRED
            )
        elif not value >= self.least:  # so written, NaN is refused too
            yield f"has {self.theirs} {value}; it must be at least {self.least}"

    def put(self, fields: Record, record: dict[str, Any]) -> None:
        """Set our places in a record."""
        value = fields[self.theirs]
        if value is None:
            return
        if self.form == "names":
            value = [str(value[key]) for key in sorted(value, key=int)]
        value = self.read(self.values[value] if self.values else value, fields)
        if self.form == "numbers":
            value = tuple(value)
        for at, place in enumerate(self.ours.split()):
            *path, last = place.split(".")
            reduce(getitem, path, record)[last] = value[at] if isinstance(value, tuple) else value

    def take(self, record: Record) -> Any:
        """Their value of a record; None if they have none for ours."""
        values = tuple(_at(record, place) for place in self.ours.split())
        if self.form == "numbers":
            return list(values)
        if self.form == "names":
            return {str(i): name for i, name in enumerate(values[0])} or None
        if self.values is None:
            return self.write(values[0], record)
        return next((name for name, ours in self.values.items() if ours in (values, values[0])), None)


def is_a(form: str, value: Any) -> bool:
    """Whether a value of JSON is a whole number, a real one, or a flag."""
    kinds = {"number": int, "real": int | float, "flag": bool}
    return isinstance(value, kinds[form]) and isinstance(value, bool) == (form == "flag")


def _at(record: Record, place: str) -> Any:
    """What stands at a place; None if there is no such."""
    found: Any = record
    for name in place.split("."):
        found = found.get(name)
    return found
