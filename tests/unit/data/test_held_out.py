"""Which splits are made, and what is held out for them."""

from __future__ import annotations

import numpy as np
import pytest

from gradatim.data.splits import content_key, held_out, missing_splits, shared_rows


@pytest.mark.parametrize(
    ("given", "made"),
    [
        (["train"], ["dev", "test"]),
        (["train", "dev"], []),
        (["train", "test"], ["dev"]),
        (["train", "dev", "test"], []),
    ],
)
def test_dev_is_made_where_there_is_none_and_test_of_a_train_alone(given: list[str], made: list[str]) -> None:
    assert missing_splits(given) == made


def test_equal_keys_are_held_out_together() -> None:
    keys = [content_key(f"text {i // 3}", None) for i in range(90)]
    made = held_out(keys, {"dev": 0.1, "test": 0.2}, seed=3)
    assert {name: len(rows) for name, rows in made.items()} == {"train": 63, "dev": 9, "test": 18}
    assert sorted(np.concatenate([*made.values()]).tolist()) == list(range(90))
    sides = [[keys[row] for row in rows] for rows in made.values()]
    assert not any(shared_rows(sides[i], sides[j]) for i, j in ((0, 1), (0, 2), (1, 2)))
