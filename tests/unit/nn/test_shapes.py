"""Shapes in signatures are executed while tests run: `tests/conftest.py` installs the hook."""

from __future__ import annotations

import pytest
import torch
from jaxtyping import TypeCheckError

from gradatim.nn.attention import mix
from gradatim.nn.packed import Layout
from gradatim.nn.pooling import pool


def test_a_mask_of_another_shape_is_refused() -> None:
    with pytest.raises(TypeCheckError, match="mask"):
        mix(torch.zeros(2, 3, 5), torch.ones(2, 3, 7, dtype=torch.bool))


def test_a_float_mask_is_refused() -> None:
    with pytest.raises(TypeCheckError, match="mask"):
        mix(torch.zeros(3, 5), torch.ones(3, 5))


def test_states_of_the_wrong_rank_are_refused() -> None:
    with pytest.raises(TypeCheckError, match="x"):
        pool(torch.zeros(1, 3, 5), Layout.of([3]))
