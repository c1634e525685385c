"""The baseline that writes what a source begins with."""

from __future__ import annotations

import numpy as np
import pytest

from gradatim.decode.search import Search
from gradatim.decode.write import write
from gradatim.engine.lead import LeadStepper

BATCH = {"ids": np.array([5, 6, 7, 1, 8, 1, 2, 3, 4, 9, 1]), "lengths": np.array([4, 2, 5])}


@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize("count", [None, 2])
def test_it_writes_the_first_tokens_of_each_source(beams: int, count: int | None) -> None:
    found = write(LeadStepper(20, end=1, count=count), BATCH, Search(end=1, beams=beams, max_length=9))
    wanted = [[5, 6, 7], [8], [2, 3, 4, 9]]
    assert [rows[0].ids.tolist() for rows in found] == [ids[:count] for ids in wanted]
    assert all(rows[0].ended for rows in found)
