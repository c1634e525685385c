"""Numbers in a sentence."""

from __future__ import annotations

import numpy as np
import pytest

from gradatim.wording import count


@pytest.mark.parametrize(
    ("number", "form", "said"),
    [
        (0, ",", "0 rows"),
        (1, ",", "1 row"),
        (1234, ",", "1,234 rows"),
        (np.int64(2), ",", "2 rows"),
        (1.0, ".3g", "1 row"),
        (0.25, ".3g", "0.25 rows"),
    ],
)
def test_one_is_one_and_all_else_is_several(number: float, form: str, said: str) -> None:
    assert count(number, "row", form) == said
