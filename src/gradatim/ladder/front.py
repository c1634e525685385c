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
    """The rows than which no other is at least as good in both and better in one, cheapest first."""

    def beats(a: Row, b: Row) -> bool:
        better, cheaper = a.measurement.quality - b.measurement.quality, cost(b) - cost(a)
        return min(better, cheaper) >= 0 and max(better, cheaper) > 0

    return sorted((row for row in rows if not any(beats(other, row) for other in rows)), key=cost)
