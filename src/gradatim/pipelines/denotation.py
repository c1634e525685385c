"""What cells and an aggregation say, and whether it is the answer: the official evaluation of WikiTableQuestions."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from gradatim.text.quantities import parse_date, parse_number, quantities
from gradatim.types import Array, Grid

NONE, SUM, AVERAGE, COUNT = "NONE", "SUM", "AVERAGE", "COUNT"
AGGREGATIONS = (NONE, SUM, AVERAGE, COUNT)
CLOSE = 1e-6
_QUOTES = str.maketrans(
    {**dict.fromkeys("‘’´`", "'"), **dict.fromkeys("“”", '"'), **dict.fromkeys("‐‑‒–—−", "-")}
)
_NOTES = re.compile(r"((?<!^)\[[^\]]*\]|\[\d+\]|[•♦†‡*#+])*$")
_DETAILS = re.compile(r"(?<!^)( \([^)]*\))*$")
_QUOTED = re.compile(r'^"([^"]*)"$')
_ISO = re.compile(r"(\d+|xx|xxxx)-(\d+|xx)-(\d+|xx)")


@dataclass(frozen=True, slots=True)
class Value:
    """A value of an answer: its text without what does not matter, and the number or the date that it is, if any."""

    text: str
    number: float | None = None
    date: tuple[int | None, int | None, int | None] | None = None

    def matches(self, other: Value) -> bool:
        """Whether both are the same text, the same number or the same date."""
        if self.text == other.text:
            return True
        if self.number is not None and other.number is not None:
            return abs(self.number - other.number) < CLOSE
        return self.date is not None and self.date == other.date


def said_value(text: str) -> Value:
    """A value as a model says it: a number or a date only in plain digits ("12467", "2010-06-xx")."""
    try:
        number: float | None = float(text)
    except ValueError:
        number = None
    match = _ISO.fullmatch(text.strip().lower())
    if number is not None and math.isfinite(number):
        return Value(normalised(text), number)
    if match is None:
        return Value(normalised(text))
    year, month, day = (None if "x" in part else int(part) for part in match.groups())
    if month is None and day is None:
        return Value(normalised(text), year)
    return Value(normalised(text), date=(year, month, day))


def wanted_value(text: str) -> Value:
    """A value of an annotated answer: a number or a date in any form.

    Differs: the official evaluator takes both from annotations of CoreNLP.
    """
    said = said_value(text)
    if said.number is not None or said.date is not None:
        return said
    number = parse_number(text.strip())
    if number is not None:
        return Value(said.text, number)
    return Value(said.text, date=parse_date(" ".join(text.lower().split())))


def normalised(text: str) -> str:
    """Lower case, without accents, footnotes, details in brackets at the end, quotation marks around and a last dot."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if unicodedata.category(c) != "Mn")
    plain, before = plain.translate(_QUOTES), ""
    while plain != before:
        before = plain
        plain = _NOTES.sub("", plain.strip())
        plain = _DETAILS.sub("", plain.strip())
        plain = _QUOTED.sub(r"\1", plain.strip())
    return " ".join(plain.removesuffix(".").lower().split())


def is_denoted(said: Sequence[str], wanted: Sequence[str]) -> bool:
    """Whether these values are the annotated ones, in any order, each counted once."""
    ours, theirs = {said_value(text) for text in said}, {wanted_value(text) for text in wanted}
    return len(ours) == len(theirs) and all(any(one.matches(other) for other in ours) for one in theirs)


def denoted(grid: Grid, cells: Sequence[tuple[int, int]], aggregation: str) -> list[str]:
    """The values that chosen cells and an aggregation stand for; of cells without a number none can be added up."""
    texts = [grid.rows[row][column] for row, column in cells]
    if aggregation == COUNT:
        return [str(len(texts))]
    if aggregation == NONE:
        return texts
    numbers = [number for text in texts if (number := first_number(text)) is not None]
    if not numbers:
        return texts
    total = math.fsum(numbers)
    return [f"{total if aggregation == SUM else total / len(numbers):.10g}"]


@cache
def cell_numbers(grid: Grid) -> Array:
    """The first number in each cell (rows, columns), NaN where there is none."""
    found = [[first_number(cell) for cell in row] for row in grid.rows]
    return np.array([[np.nan if one is None else one for one in row] for row in found], dtype=np.float64)


def first_number(text: str) -> float | None:
    """The first number in a text."""
    values = (value for span in quantities(text) for value in span if not isinstance(value, tuple))
    return next(values, None)
