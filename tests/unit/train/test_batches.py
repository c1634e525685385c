"""An epoch holds every example once, in batches within their limits."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gradatim.train.batches import Plan, plan_epoch, split


@given(
    sizes=st.lists(st.integers(1, 60), min_size=1, max_size=200),
    batch_size=st.integers(1, 9),
    max_tokens=st.integers(1, 150),
    seed=st.integers(0, 99),
)
def test_every_example_comes_once_within_the_limits(
    sizes: list[int], batch_size: int, max_tokens: int, seed: int
) -> None:
    tokens = np.array(sizes)
    batches = plan_epoch(tokens, batch_size, max_tokens, np.random.default_rng(seed))
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(sizes)))
    for batch in batches:
        assert 1 <= len(batch) <= batch_size
        assert len(batch) == 1 or tokens[batch].sum() <= max_tokens


def test_batches_hold_similar_lengths_in_random_order() -> None:
    tokens = np.random.default_rng(0).integers(1, 200, 1600)
    batches = plan_epoch(tokens, 16, 10**6, np.random.default_rng(1))
    spread = np.mean([tokens[batch].max() / tokens[batch].mean() for batch in batches])
    assert spread < 1.2  # of texts drawn blindly it is about 1.9
    means = [tokens[batch].mean() for batch in batches]
    assert abs(np.corrcoef(np.arange(len(means)), means)[0, 1]) < 0.4


def test_epochs_repeat_with_the_seed_and_differ_within_one_run() -> None:
    tokens = np.arange(1, 98)
    rng = np.random.default_rng(3)
    first, second = (plan_epoch(tokens, 8, 500, rng) for _ in range(2))
    again = plan_epoch(tokens, 8, 500, np.random.default_rng(3))
    assert [batch.tolist() for batch in first] == [batch.tolist() for batch in again]
    assert [batch.tolist() for batch in first] != [batch.tolist() for batch in second]


@given(rows=st.integers(1, 30), processes=st.integers(1, 4), parts=st.integers(1, 5))
def test_shares_are_the_batch_and_none_is_empty(rows: int, processes: int, parts: int) -> None:
    batch = np.arange(rows) * 3
    shares = [split(batch, processes, rank, parts) for rank in range(processes)]
    assert all(len(share) for own in shares for share in own)
    assert all(len(own) <= parts for own in shares)
    assert sorted(np.concatenate([share for own in shares for share in own])) == batch.tolist()
    sizes = [sum(map(len, own)) for own in shares]
    assert max(sizes) - min(sizes) <= parts


def test_a_plan_knows_its_epochs() -> None:
    plan = Plan.of(np.ones(10, dtype=np.int64), 2.5, 3, 100, seed=0)
    assert (len(plan.batches), plan.epochs) == (10, [0, 4, 8])
    assert [plan.epoch(step) for step in range(10)] == [0] * 4 + [1] * 4 + [2] * 2
    assert [step for step in range(10) if plan.ends_epoch(step)] == [3, 7, 9]
