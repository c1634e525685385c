"""The choice: the cheapest candidate inside the budget that is as good as the best one, within noise."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise

from gradatim.ladder.front import Cost, latency, pareto_front, size
from gradatim.ladder.records import Choice, Row
from gradatim.types import Budget

MARKS = [float(f"{step}e{power}") for power in range(-6, 12) for step in (1, 2, 5)]


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
    best = max(inside, key=lambda row: (row.measurement.quality, -latency(row)))
    good = [row for row in pareto_front(inside) if row.measurement.quality >= best.measurement.low]
    chosen, *others = sorted(good, key=lambda row: (latency(row), size(row)))
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
    limits = (
        ("--max-ms", budget.max_ms, latency(row)),
        ("--max-mb", budget.max_mb, size(row)),
        ("--max-ram-mb", budget.max_ram_mb, row.measurement.peak_mb),
    )
    return {option: (limit, value) for option, limit, value in limits if limit is not None and value > limit}


def purchases(rows: Sequence[Row]) -> Mapping[float, Mapping[float, Row | None]]:
    """What each budget would buy: max_ms -> max_mb -> row, limits that change nothing left out."""
    latencies, sizes = _marks(rows, latency), _marks(rows, size)
    bought = {ms: {mb: choose(rows, Budget(max_ms=ms, max_mb=mb)).chosen for mb in sizes} for ms in latencies}
    lines = _changing(latencies, lambda a, b: bought[a] != bought[b])
    columns = _changing(sizes, lambda a, b: any(line[a] is not line[b] for line in bought.values()))
    return {ms: {mb: bought[ms][mb] for mb in columns} for ms in lines}


def _marks(rows: Sequence[Row], cost: Cost) -> list[float]:
    """The marks 1, 2, 5, 10, ... that admit a row which the mark before does not."""
    return sorted({MARKS[bisect_left(MARKS, cost(row))] for row in rows})


def _changing(marks: Sequence[float], differ: Callable[[float, float], bool]) -> list[float]:
    return [*marks[:1], *(after for before, after in pairwise(marks) if differ(before, after))]


def _why(chosen: Row, best: Row, inside: Sequence[Row], rows: Sequence[Row]) -> Iterator[str]:
    where = " inside the budget" if len(inside) < len(rows) else ""
    if where:
        yield f"{len(inside)} of {len(rows)} candidates fit the budget"
    if len(rows) == 1:
        yield "it is the only candidate"
    elif chosen is not best:
        yield f"the best{where} is {best.name}; {chosen.name} is the fastest within its 95 % interval"
    else:
        yield f"it has the best quality{where or ' of all'}"
        if any(latency(row) < latency(chosen) for row in inside):
            yield "every faster candidate falls below its 95 % interval"


def _no_fit(rows: Sequence[Row], budget: Budget) -> Choice:
    def distance(row: Row) -> tuple[float, float]:
        missed = excesses(row, budget).values()
        return max(seen / limit if limit else math.inf for limit, seen in missed), -row.measurement.quality

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
