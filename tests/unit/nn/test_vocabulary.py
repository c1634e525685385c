"""Cross-entropy over a vocabulary in parts: the same loss and gradients as over all logits at once."""

import pytest
import torch
import torch.nn.functional as F

from gradatim.nn import vocabulary
from gradatim.nn.vocabulary import Taught, vocabulary_cross_entropy

IGNORED = -100


def problem(bias=True, dtype=torch.float64):
    torch.manual_seed(0)
    states, weight = torch.randn(11, 5, dtype=dtype), torch.randn(7, 5, dtype=dtype)
    targets = torch.randint(7, (11,))
    targets[[2, 10]] = IGNORED
    learned = [states, weight, *([torch.randn(7, dtype=dtype)] if bias else [])]
    return [x.requires_grad_() for x in learned], targets


def whole(states, weight, bias, targets, smoothing):
    logits = F.linear(states, weight, bias)
    return F.cross_entropy(logits, targets, ignore_index=IGNORED, label_smoothing=smoothing, reduction="sum")


def teacher():
    """States of another width than the student's, and what reads them."""
    torch.manual_seed(1)
    return [torch.randn(size, dtype=torch.float64) for size in ((11, 3), (7, 3), (7,))]


def divergence(logits, targets, temperature):
    said, wanted = ((x / temperature).log_softmax(-1) for x in (logits, F.linear(*teacher())))
    known = (targets != IGNORED)[:, None]
    return temperature**2 * (F.kl_div(said, wanted, reduction="none", log_target=True) * known).sum()


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("rows", [1, 3, 128])  # 128: all rows at once
@pytest.mark.parametrize("teaching", [None, {"temperature": 1.0}, {"temperature": 3.0}])
def test_loss_and_gradients_equal_those_of_all_logits(monkeypatch, bias, smoothing, rows, teaching):
    monkeypatch.setattr(vocabulary, "ROWS", rows)
    monkeypatch.setattr(vocabulary, "CELLS", 1)
    learned, targets = problem(bias)
    states, weight, b = (*learned, None)[:3]
    wanted, taught = whole(states, weight, b, targets, smoothing), None
    if teaching:
        taught = Taught(
            **dict(zip(("states", "weight", "bias"), teacher(), strict=True)), soft=0.7, hard=0.2, **teaching
        )
        wanted = 0.2 * wanted + 0.7 * divergence(F.linear(states, weight, b), targets, **teaching)
    found = vocabulary_cross_entropy(
        states, weight, b, targets, ignored=IGNORED, smoothing=smoothing, taught=taught
    )
    torch.testing.assert_close(found.double(), wanted, rtol=1e-6, atol=0)
    gradients = [torch.autograd.grad(loss * 0.3, learned) for loss in (found, wanted)]
    for mine, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-6)


def test_only_what_learns_gets_a_gradient():
    (states, weight, bias), targets = problem()
    states = states.detach()
    vocabulary_cross_entropy(states, weight, bias, targets, ignored=IGNORED).backward()
    assert states.grad is None
    assert weight.grad is not None


def test_without_gradients_there_is_the_loss_alone():
    (states, weight, bias), targets = problem()
    with torch.no_grad():
        found = vocabulary_cross_entropy(states, weight, bias, targets, ignored=IGNORED)
    assert not found.requires_grad
    torch.testing.assert_close(found.double(), whole(states, weight, bias, targets, 0.0), rtol=1e-6, atol=0)


def test_logits_of_hundreds_do_not_overflow():
    states, weight = torch.full((2, 1), 300.0), torch.tensor([[1.0], [-1.0]], requires_grad=True)
    loss = vocabulary_cross_entropy(states, weight, None, torch.tensor([1, 0]), ignored=IGNORED)
    torch.testing.assert_close(loss, torch.tensor(600.0))


def test_autocast_computes_in_bfloat16_and_learns_in_float32():
    learned, targets = problem(dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        found = vocabulary_cross_entropy(*learned, targets, ignored=IGNORED)
    wanted = whole(*learned, targets, 0.0)
    torch.testing.assert_close(found, wanted, rtol=0.02, atol=0)
    for mine, theirs in zip(
        torch.autograd.grad(found, learned), torch.autograd.grad(wanted, learned), strict=True
    ):
        assert mine.dtype == torch.float32
        assert F.cosine_similarity(mine.flatten(), theirs.flatten(), dim=0) > 0.999
