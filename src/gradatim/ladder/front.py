"""The Pareto front: the rows that no other row beats in quality and in cost at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gradatim.ladder.records import Row

Cost = Callable[[Row], float]


def latency(row: Row) -> float:
    """Milliseconds per text at batch 1, 95th percentile."""
    return row.measurement.p95_ms


def size(row: Row) -> float:
    """Megabytes of the artifact."""
    return row.measurement.size_mb


def pareto_front(rows: Sequence[Row], cost: Cost = latency) -> list[Row]:
    """The rows that are not dominated in (quality up, `cost` down), cheapest first.

    A row is dominated if another is at least as good in both and better in one; rows that are
    equal in both stay side by side.
    """
    front: list[Row] = []
    for row in sorted(rows, key=lambda row: (cost(row), -row.measurement.quality)):
        last = front[-1] if front else None
        if last is None or row.measurement.quality > last.measurement.quality or _equal(row, last, cost):
            front.append(row)
    return front


def _equal(a: Row, b: Row, cost: Cost) -> bool:
    return a.measurement.quality == b.measurement.quality and cost(a) == cost(b)
