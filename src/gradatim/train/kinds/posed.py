"""Questions made up about tables by patterns, with their answers: practice for a model that has never read a table.

Synthetic questions came first in Eisenschlos et al. 2020 (section 3) and Liu et al. 2022 (TAPEX, section 3.2).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from gradatim.data.grids import TableQuestion
from gradatim.pipelines.denotation import AVERAGE, COUNT, NONE, SUM, cell_numbers, denoted
from gradatim.types import Grid

LONGEST = 240  # letters of a question
MOST = (("highest", "most", "largest", "greatest"), ("lowest", "least", "smallest", "fewest"))
MORE = (("more", "a higher", "a greater"), ("less", "a lower", "a smaller"))
LOOKED_UP = (
    "what is the {a} of {v}?", "what is the {a} when the {b} is {v}?", "which {a} has {v} as {b}?",
    "what {a} is listed with {v}?", "what was the {a} for {v}?", "{v} has which {a}?",
)  # fmt: skip
EXTREME = (
    "which {a} has the {most} {b}?", "what {a} had the {most} {b}?", "what is the {a} with the {most} {b}?",
    "which {a} was {most} in {b}?",
)  # fmt: skip
EITHER = ("which {a} has {more} {b}, {v} or {w}?", "who or what had {more} {b}: {v} or {w}?")
ENDS = (
    ("what is the first {a} listed?", "which {a} is at the top of the table?", "what is the top {a}?"),
    ("what is the last {a} listed?", "which {a} is at the bottom of the table?", "what is the final {a}?"),
)
BESIDE = (
    ("which {a} comes after {v}?", "what {a} is listed next after {v}?", "what is the {a} just below {v}?"),
    ("which {a} comes before {v}?", "what is the {a} previous to {v}?", "what is the {a} right above {v}?"),
)
COUNTED = (
    "how many rows have {v} as {b}?", "how many times is {v} the {b}?", "how many {a} have {v} as {b}?",
    "how many {a} are from {v}?",
)  # fmt: skip
BEYOND = ("how many {a} have {more} {b} than {n}?", "how many {a} had {more} than {n} {b}?")
ALL = ("how many {a} are there?", "how many {a} are listed?", "what is the total number of {a} listed?")
ADDED = {
    SUM: ("what is the total {b}?", "what is the total number of {b}?", "what is the sum of {b}?"),
    AVERAGE: ("what is the average {b}?", "what is the average number of {b}?"),
}


@dataclass(frozen=True, slots=True)
class Posed:
    """A question with its answer as cells of a table (row, column), and what is made of them."""

    question: TableQuestion
    cells: tuple[tuple[int, int], ...]
    aggregation: str


Found = tuple[str, Sequence[tuple[int, int]], str]


@dataclass
class _Asker:
    """A table, and what about it can be asked."""

    grid: Grid
    rng: np.random.Generator
    numbers: dict[int, list[float]] = field(init=False)  # of the columns that hold one in every cell

    def __post_init__(self) -> None:
        columns = enumerate(cell_numbers(self.grid).T)
        self.numbers = {at: column.tolist() for at, column in columns if not np.isnan(column).any()}

    def cells(self, column: int) -> list[str]:
        return [row[column] for row in self.grid.rows]

    def ask(self) -> Found | None:
        """A question of some pattern, or None if the table has no place for what was drawn."""
        patterns: Sequence[tuple[Callable[[int, int, int], Found | None], float]] = (
            (self._looked_up, 0.25), (self._extreme, 0.2), (self._beside, 0.15), (self._either, 0.1),
            (self._end, 0.1), (self._counted, 0.08), (self._beyond, 0.05), (self._added, 0.05), (self._all, 0.02),
        )  # fmt: skip
        pattern = patterns[self.rng.choice(len(patterns), p=[share for _, share in patterns])][0]
        a, b = self.rng.permutation(len(self.grid.columns))[:2].tolist()
        return pattern(a, b, int(self.rng.integers(len(self.grid.rows))))

    def _say(self, patterns: Sequence[str], a: int, b: int = 0, **words: str) -> str:
        told = {"a": self.grid.columns[a], "b": self.grid.columns[b], **words}
        return " ".join(str(self.rng.choice(patterns)).format(**told).split())

    def _alike(self, row: int, column: int) -> tuple[str, list[int]]:
        """The value of a cell, and the rows that have it, none if it says nothing."""
        cells = self.cells(column)
        value = cells[row]
        return value, [at for at, cell in enumerate(cells) if cell == value] if value.strip() else []

    def _named(self, row: int, column: int) -> str | None:
        """The value of a cell, if a question can name the row by it."""
        value, rows = self._alike(row, column)
        return value if len(rows) == 1 else None

    def _looked_up(self, a: int, b: int, row: int) -> Found | None:
        """One cell or several, by the value of another column."""
        value, rows = self._alike(row, b)
        return (self._say(LOOKED_UP, a, b, v=value), [(at, a) for at in rows], NONE) if rows else None

    def _extreme(self, a: int, b: int, row: int) -> Found | None:
        numbers, low = self.numbers.get(b), int(self.rng.integers(2))
        if not numbers or numbers.count(best := (min if low else max)(numbers)) > 1:
            return None
        question = self._say(EXTREME, a, b, most=str(self.rng.choice(MOST[low])))
        return question, [(numbers.index(best), a)], NONE

    def _either(self, a: int, b: int, row: int) -> Found | None:
        numbers, low = self.numbers.get(b), int(self.rng.integers(2))
        other = int(self.rng.integers(len(self.grid.rows)))
        one, two = self._named(row, a), self._named(other, a)
        if not numbers or one is None or two is None or numbers[row] == numbers[other]:
            return None
        right = row if (numbers[row] < numbers[other]) == bool(low) else other
        question = self._say(EITHER, a, b, v=one, w=two, more=str(self.rng.choice(MORE[low])))
        return question, [(right, a)], NONE

    def _end(self, a: int, b: int, row: int) -> Found:
        last = int(self.rng.integers(2))
        return self._say(ENDS[last], a), [(len(self.grid.rows) - 1 if last else 0, a)], NONE

    def _beside(self, a: int, b: int, row: int) -> Found | None:
        before, value = int(self.rng.integers(2)), self._named(row, a)
        place = row - 1 if before else row + 1
        if value is None or not 0 <= place < len(self.grid.rows):
            return None
        return self._say(BESIDE[before], a, v=value), [(place, a)], NONE

    def _counted(self, a: int, b: int, row: int) -> Found | None:
        value, rows = self._alike(row, b)
        return (self._say(COUNTED, a, b, v=value), [(at, a) for at in rows], COUNT) if rows else None

    def _beyond(self, a: int, b: int, row: int) -> Found | None:
        numbers, low = self.numbers.get(b), int(self.rng.integers(2))
        if not numbers:
            return None
        rows = [at for at, n in enumerate(numbers) if (n < numbers[row] if low else n > numbers[row])]
        question = self._say(BEYOND, a, b, more=MORE[low][0], n=f"{numbers[row]:g}")
        return (question, [(at, a) for at in rows], COUNT) if rows else None

    def _all(self, a: int, b: int, row: int) -> Found:
        return self._say(ALL, a), [(at, a) for at in range(len(self.grid.rows))], COUNT

    def _added(self, a: int, b: int, row: int) -> Found | None:
        aggregation = (SUM, AVERAGE)[int(self.rng.integers(2))]
        if b not in self.numbers:
            return None
        cells = [(at, b) for at in range(len(self.grid.rows))]
        return self._say(ADDED[aggregation], a, b), cells, aggregation


def posed(grids: Sequence[Grid], count: int, seed: int) -> list[Posed]:
    """So many questions about these tables of two columns at least, small ones more often."""
    grids = [grid for grid in grids if len(grid.columns) > 1]
    return list(islice(_drawn(grids, seed), count)) if grids else []


def _drawn(grids: Sequence[Grid], seed: int) -> Iterator[Posed]:
    rng = np.random.default_rng(seed)
    shares = np.array([1 / (len(grid.rows) * len(grid.columns)) for grid in grids])
    shares /= shares.sum()
    askers: dict[int, _Asker] = {}
    while True:
        at = int(rng.choice(len(grids), p=shares))
        asker = askers.setdefault(at, _Asker(grids[at], rng))
        found = asker.ask()
        if found is None:
            continue
        question, cells, aggregation = found
        answers = denoted(grids[at], cells, aggregation)
        if all(answer.strip() for answer in answers) and len(question) <= LONGEST:
            yield Posed(TableQuestion(question, grids[at], tuple(answers)), tuple(cells), aggregation)
