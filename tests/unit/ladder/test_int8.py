"""The int8 gate: kept only if measured faster and no worse than the tolerance allows."""

from __future__ import annotations

import pytest
from climb_stories import make_row

from gradatim.ladder.rungs.int8 import gate

SOURCE = make_row("finetuned", 0.880, 4.0, 91.0)


@pytest.mark.parametrize(
    ("quality", "p95_ms", "says"),
    [
        (0.880, 2.0, None),
        (0.876, 2.0, None),
        (0.900, 2.0, None),
        (0.874, 2.0, "loses 0.0060"),
        (0.880, 4.0, "not faster"),
        (0.880, 5.0, "not faster"),
    ],
)
def test_gate(quality: float, p95_ms: float, says: str | None) -> None:
    why = gate(make_row("finetuned-int8", quality, p95_ms, 23.0, source="finetuned"), SOURCE, 0.005)
    assert (why is None) == (says is None)
    assert says is None or (why is not None and says in why)


def test_both_reasons_are_given() -> None:
    why = gate(make_row("finetuned-int8", 0.5, 9.0, 23.0), SOURCE, 0.005)
    assert why is not None
    assert "not faster" in why
    assert "loses" in why
