"""Correlations against scipy."""

from __future__ import annotations

import numpy as np
import pytest

from gradatim.pipelines.correlation import pearson, spearman


@pytest.mark.parametrize("seed", range(3))
def test_correlations_are_those_of_scipy(seed: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, 6, 50).astype(np.float32)  # with many equal values
    said = (targets + rng.normal(size=50)).round(1).astype(np.float32)
    assert pearson(targets, said) == pytest.approx(stats.pearsonr(targets, said).statistic, abs=1e-6)
    assert spearman(targets, said) == pytest.approx(stats.spearmanr(targets, said).statistic, abs=1e-6)


def test_what_is_constant_goes_with_nothing() -> None:
    assert pearson(np.arange(4.0), np.ones(4)) == spearman(np.arange(4.0), np.ones(4)) == 0
    assert pearson(np.arange(4.0), -np.arange(4.0)) == pytest.approx(-1)
