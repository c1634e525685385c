"""Numbers and dates in texts, and how those of a column compare (Herzig et al. 2020, section 2)."""

from __future__ import annotations

import datetime
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

Date = tuple[int | None, int | None, int | None]  # year, month and day, as far as they are told
Quantity = float | Date
Key = tuple[float, ...]

YEARS = range(1700, 2017)  # four digits outside of these are a number alone
LONGEST_DATE = 5  # words
COMMON = (
    0.7  # share of a column's cells that hold a quantity of one kind, at least, for it to be of that kind
)
_MONTHS = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
           "november", "december")  # fmt: skip
_WEEKDAYS = r"(?:mon|tues|wednes|thurs|fri|satur|sun)day"
_NUMBERS = (
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
)
_ORDINALS = ("zeroth", "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth",
             "eleventh", "twelfth")  # fmt: skip
_WORDS = {word: float(i) for words in (_NUMBERS, _ORDINALS) for i, word in enumerate(words)}
_DIGITS = re.compile(r"((^|\s)[+-])?((\.\d+)|(\d+(,\d\d\d)*(\.\d*)?))")
_WORD = re.compile(r"[^\W_]+")

_MONTH = f"(?P<month>{'|'.join(f'{name}|{name[:3]}' for name in _MONTHS)})"
_YEAR, _DAY, _NUMERAL = r"(?P<year>\d{4})", r"(?P<day>\d{1,2})", r"(?P<month>\d{1,2})"
_DATES = [
    re.compile(pattern)
    for pattern in (
        f"(?P<month>{'|'.join(_MONTHS)})",
        f"{_YEAR}s?",
        rf"{_MONTH}\s+{_YEAR}",
        rf"(?:{_WEEKDAYS},\s+)?{_MONTH}\s+{_DAY}",
        rf"{_DAY}\s+{_MONTH}",
        rf"{_MONTH}\s+{_DAY},\s+{_YEAR}",
        rf"{_DAY}\s+{_MONTH}\s+{_YEAR}",
        rf"{_NUMERAL}-{_DAY}-{_YEAR}",
        rf"{_YEAR}-{_NUMERAL}(?:-{_DAY})?",
        rf"{_DAY}\.{_NUMERAL}\.{_YEAR}",
    )
]


def quantities(text: str) -> list[list[Quantity]]:
    """What each number and date of a text may mean, in order: 1998 is a number and a year.

    Of what lies inside a longer number or date nothing is said.
    """
    text = " ".join(text.lower().split())
    found: dict[tuple[int, int], list[Quantity]] = {}
    for match in _DIGITS.finditer(text):
        if (number := parse_number(match.group())) is not None:
            found[match.span()] = [number]
    words = [match.span() for match in _WORD.finditer(text)]
    for span in words:
        if span not in found and (number := _number_word(text[slice(*span)])) is not None:
            found[span] = [number]
    for begin, end in _stretches(words):
        if (date := parse_date(text[begin:end])) is not None:
            found.setdefault((begin, end), []).append(date)
    chosen: list[tuple[int, int]] = []
    for span in sorted(found, key=lambda span: (span[0] - span[1], span[0])):
        if not any(begin <= span[0] and span[1] <= end for begin, end in chosen):
            chosen.append(span)
    return [found[span] for span in sorted(chosen)]


def column_quantities(cells: Sequence[str]) -> dict[int, Quantity]:
    """The quantity of each cell that has one, by row: dates or numbers, whichever more cells hold.

    Empty where less than `COMMON` of the cells hold one. Of as many dates as numbers it is dates.
    """
    meanings = [[meaning for span in quantities(cell) for meaning in span] for cell in cells]
    counts = Counter(kind for some in meanings for kind in {isinstance(one, tuple) for one in some})
    most = max(counts.values(), default=0)
    if not most or most < len(cells) * COMMON:
        return {}
    dates = counts[True] == most
    kept = {
        row: [one for one in some if isinstance(one, tuple) == dates] for row, some in enumerate(meanings)
    }
    return {row: some[0] for row, some in kept.items() if some}


def keys(values: Sequence[Quantity]) -> list[Key] | None:
    """What to compare these by: numbers themselves, of dates the parts that all tell; None if they cannot be."""
    numbers = [value for value in values if not isinstance(value, tuple)]
    if len(numbers) == len(values):
        return [(number,) for number in numbers] or None
    dates = [value for value in values if isinstance(value, tuple)]
    told = [part for part in range(3) if all(date[part] is not None for date in dates)]
    if numbers or not told:
        return None
    return [tuple(float(date[part] or 0) for part in told) for date in dates]


def ranks(values: Mapping[int, Quantity]) -> dict[int, tuple[int, int]]:
    """The rank of each row's quantity from below and from above, both from 1; equal ones share it."""
    compared = keys(list(values.values()))
    if compared is None:
        return {}
    order = {key: place for place, key in enumerate(sorted(set(compared)), 1)}
    return {row: (order[key], len(order) + 1 - order[key]) for row, key in zip(values, compared, strict=True)}


def relations(asked: Iterable[Quantity], values: Mapping[int, Quantity]) -> dict[int, int]:
    """How what a question names compares with each row's: 1 for equal, 2 for less, 4 for more, and their sums."""
    found: dict[int, int] = {}
    for one in asked:
        compared = keys([*values.values(), one]) if values else None
        for row, key in zip(values, compared or (), strict=False):
            assert compared is not None
            said = 1 if compared[-1] == key else 2 if compared[-1] < key else 4
            found[row] = found.get(row, 0) | said
    return found


def parse_number(text: str) -> float | None:
    """A number in digits, perhaps with commas or as an ordinal ("1,200", "3rd"); None if it is none."""
    for suffix in ("st", "nd", "rd", "th"):
        if text.endswith(suffix):
            text = text[: -len(suffix)]
            break
    try:
        value = float(text.replace(",", ""))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def parse_date(text: str) -> Date | None:
    """A whole date or a part of one, in lower case ("5 june 1996", "june 1996", "1996"); None if it is none."""
    for pattern in _DATES:
        match = pattern.fullmatch(text)
        if match is None:
            continue
        told = match.groupdict()
        month = told.get("month")
        numeral = int(month) if month and month.isdigit() else _month(month)
        year, day = (int(told[name]) if told.get(name) else None for name in ("year", "day"))
        try:
            datetime.date(year or 1900, numeral or 1, day if day is not None else 1)
        except ValueError:
            continue
        if year is None or year in YEARS:
            return year, numeral, day
    return None


def _month(name: str | None) -> int | None:
    return None if name is None else 1 + [month[:3] for month in _MONTHS].index(name[:3])


def _number_word(text: str) -> float | None:
    number = parse_number(text)
    return _WORDS.get(text) if number is None else number


def _stretches(words: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """From the start of a word to the end of the same or of one of the next few."""
    for last, (_, end) in enumerate(words):
        for begin, _ in words[max(0, last + 1 - LONGEST_DATE) : last + 1]:
            yield begin, end
