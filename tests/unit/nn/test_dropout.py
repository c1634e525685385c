"""Dropout by bytes: the right share, the right expectation, repeatable, and absent in evaluation."""

from __future__ import annotations

import pytest
import torch

from gradatim.nn.dropout import Dropout


@pytest.mark.parametrize("p", [0.1, 0.25, 0.5, 0.9])
def test_drops_its_share_and_keeps_the_expectation(p: float) -> None:
    torch.manual_seed(3)
    out = Dropout(p)(torch.ones(503, 997))
    assert out.eq(0).float().mean().item() == pytest.approx(p, abs=0.004)
    assert out.mean().item() == pytest.approx(1.0, abs=0.015)
    assert len(out.unique()) == 2  # a value is dropped or scaled, nothing between


@pytest.mark.parametrize("p", [0.998, 0.9999])
def test_a_probability_near_one_stays_finite(p: float) -> None:
    torch.manual_seed(0)
    out = Dropout(p)(torch.ones(1009, 101))
    assert out.isfinite().all()
    assert out.mean().item() == pytest.approx(1.0, abs=0.3)


def test_repeats_with_the_seed_and_changes_without() -> None:
    layer, x = Dropout(0.5), torch.ones(13, 17)
    torch.manual_seed(7)
    first, second = layer(x), layer(x)
    torch.manual_seed(7)
    again = layer(x)
    assert torch.equal(first, again)
    assert not torch.equal(first, second)


def test_is_the_identity_in_evaluation_and_at_zero() -> None:
    x = torch.randn(5, 7)
    assert Dropout(0.5).eval()(x) is x
    assert Dropout(0.0)(x) is x


def test_gradient_passes_where_values_passed() -> None:
    x = torch.ones(7, 11, requires_grad=True)
    torch.manual_seed(0)
    out = Dropout(0.5)(x)
    out.sum().backward()
    torch.testing.assert_close(x.grad, out.detach())


def test_keeps_bfloat16() -> None:
    assert Dropout(0.5)(torch.ones(3, 5, dtype=torch.bfloat16)).dtype == torch.bfloat16


@pytest.mark.parametrize("p", [-0.1, 1.0, float("nan")])
def test_refuses_what_is_no_probability(p: float) -> None:
    with pytest.raises(ValueError, match="probability"):
        Dropout(p)
