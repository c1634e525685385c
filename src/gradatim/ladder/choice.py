"""The choice: the cheapest candidate inside the budget that is as good as the best one, within noise."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gradatim.ladder.front import pareto_front
from gradatim.ladder.records import Choice, Row
from gradatim.types import Budget

STEPS = (1, 2, 5)  # the usual marks of a logarithmic scale


@dataclass(frozen=True, slots=True)
class Purchase:
    """What a budget of `max_ms` and `max_mb` would buy; None if no candidate fits it."""

    max_ms: float
    max_mb: float
    row: Row | None


def choose(rows: Sequence[Row], budget: Budget) -> Choice:
    """Pick from measured rows by the budget; quality must be of the kind where higher is better.

    Chosen is the fastest row (ties: the smallest) on the front of those inside the budget whose quality
    is not below the interval of the best. Runner-up is the next of these, else the best of the others.
    Raises ValueError without rows.
    """
    if not rows:
        raise ValueError("nothing was measured, so there is nothing to choose from")
    inside = [row for row in rows if not excesses(row, budget)]
    if not inside:
        return _no_fit(rows, budget)
    best = max(inside, key=lambda row: (row.measurement.quality, -row.measurement.p95_ms))
    good = [row for row in pareto_front(inside) if row.measurement.quality >= best.measurement.low]
    chosen, *others = sorted(good, key=_cheapness)
    if not others:
        rest = [row for row in inside if row is not chosen]
        others = sorted(rest, key=lambda row: -row.measurement.quality)
    return Choice(
        budget=budget,
        chosen=chosen,
        runner_up=others[0] if others else None,
        best=best,
        nearest=None,
        reasons=tuple(_why(chosen, best, inside, rows)),
    )


def excesses(row: Row, budget: Budget) -> dict[str, tuple[float, float]]:
    """Option name -> (limit, measured) for each limit that the row exceeds."""
    seen = row.measurement
    limits = (
        ("--max-ms", budget.max_ms, seen.p95_ms),
        ("--max-mb", budget.max_mb, seen.size_mb),
        ("--max-ram-mb", budget.max_ram_mb, seen.peak_mb),
    )
    return {option: (limit, value) for option, limit, value in limits if limit is not None and value > limit}


def purchases(rows: Sequence[Row]) -> list[Purchase]:
    """What each budget would buy, over a grid of latency and size limits that make a difference."""
    latencies = _marks([row.measurement.p95_ms for row in rows])
    sizes = _marks([row.measurement.size_mb for row in rows])
    grid = [[choose(rows, Budget(max_ms=ms, max_mb=mb)).chosen for mb in sizes] for ms in latencies]
    lines = _different(grid)
    columns = _different(list(zip(*grid, strict=True)))
    return [Purchase(latencies[i], sizes[j], grid[i][j]) for i in lines for j in columns]


def _different(lines: Sequence[Sequence[Row | None]]) -> list[int]:
    """Indices of the lines that are not the same as the line before."""
    return [
        i
        for i, line in enumerate(lines)
        if i == 0 or any(a is not b for a, b in zip(line, lines[i - 1], strict=True))
    ]


def _cheapness(row: Row) -> tuple[float, float]:
    return row.measurement.p95_ms, row.measurement.size_mb


def _why(chosen: Row, best: Row, inside: Sequence[Row], rows: Sequence[Row]) -> Iterator[str]:
    outside = len(rows) - len(inside)
    if outside:
        yield f"{len(inside)} of {len(rows)} candidates fit the budget"
    if len(rows) == 1:
        yield "it is the only candidate"
        return
    if chosen is best:
        yield "it has the best quality" + (" inside the budget" if outside else " of all")
        faster = [row for row in inside if row.measurement.p95_ms < chosen.measurement.p95_ms]
        if faster:
            yield "every faster candidate falls below its 95 % interval"
        return
    where = " inside the budget" if outside else ""
    yield f"the best{where} is {best.name}; {chosen.name} is the fastest within its 95 % interval"


def _no_fit(rows: Sequence[Row], budget: Budget) -> Choice:
    def distance(row: Row) -> tuple[float, float]:
        worst = max(
            measured / limit if limit > 0 else math.inf for limit, measured in excesses(row, budget).values()
        )
        return worst, -row.measurement.quality

    nearest = min(rows, key=distance)
    relax = [
        f"relax {option} {limit:g} -> {_round_up(measured):g}"
        for option, (limit, measured) in excesses(nearest, budget).items()
    ]
    reasons = (f"none of {len(rows)} candidates fits the budget; the nearest is {nearest.name}", *relax)
    return Choice(budget, chosen=None, runner_up=None, best=None, nearest=nearest, reasons=reasons)


def _round_up(value: float) -> float:
    """The next number of two significant digits, so that the relaxed limit admits `value`."""
    rounded = float(f"{value:.2g}")
    if rounded < value:
        rounded = float(f"{rounded + 10.0 ** (math.floor(math.log10(value)) - 1):.2g}")
    return rounded


def _marks(values: Sequence[float]) -> list[float]:
    """Marks 1, 2, 5, 10, ... such that each admits a value that the mark before it does not."""
    marks: list[float] = []
    for value in sorted(values):
        if not marks or value > marks[-1]:
            marks.append(_next_mark(value))
    return marks


def _next_mark(value: float) -> float:
    if value <= 0:
        return 0.0
    power = math.floor(math.log10(value))
    grid = (float(f"{step}e{p}") for p in (power, power + 1) for step in STEPS)
    return next(mark for mark in grid if mark >= value)
