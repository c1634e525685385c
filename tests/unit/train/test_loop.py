"""Training learns, repeats bit for bit, and takes the gradient it should."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gradatim.models.backbone import Backbone
from gradatim.models.classifier import Classifier, RecurrentBody, WordVectors
from gradatim.models.inputs import PackedTexts
from gradatim.models.presets import Sizes, bert
from gradatim.models.session import TorchSession
from gradatim.objectives.classification import Classification
from gradatim.train.cost import dense_parameters, matmul_flops, training_s
from gradatim.train.loop import train
from gradatim.train.recipe import Recipe
from gradatim.types import Array, Encoded

VOCABULARY, TEXTS = 1100, 160  # a vocabulary large enough for sparse gradients


def problem() -> tuple[Encoded, Array]:
    """Texts of other words with one telling word among them: which one decides the class."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(2, 13, TEXTS)
    targets = rng.integers(0, 3, TEXTS)
    rows = [rng.integers(10, 40, n) for n in lengths]
    for row, target in zip(rows, targets, strict=True):
        row[rng.integers(len(row))] = target + 1
    arrays = {"ids": np.concatenate(rows), "lengths": lengths}
    return Encoded(arrays, np.arange(TEXTS), TEXTS), targets


def build(kind: str, dropout: float = 0.1) -> Classifier:
    torch.manual_seed(0)
    if kind == "bert":
        config = bert(Sizes(
            vocab_size=VOCABULARY, num_layers=1, width=16, num_heads=2, ffn_width=32, max_length=13,
            dropout=dropout, attention_dropout=dropout,
        ))  # fmt: skip
        return Classifier(Backbone(config), 16, 3, dropout=dropout)
    if kind == "lstm":
        return Classifier(RecurrentBody(VOCABULARY, 16, 8, dropout=dropout), 16, 3, dropout=dropout)
    return Classifier(WordVectors(VOCABULARY, 16, dropout=dropout), 16, 3, dropout=dropout)


def recipe(**changes: float | int | str) -> Recipe:
    return Recipe(**{"epochs": 12.0, "batch_size": 16, "rate": 0.01, "precision": "fp32", **changes})


@pytest.mark.parametrize("kind", ["bert", "lstm", "bag"])
def test_the_loss_falls_and_the_training_texts_are_learned(kind: str) -> None:
    encoded, targets = problem()
    net = build(kind)
    objective = Classification(PackedTexts(encoded), targets)
    start = train(build(kind), objective, recipe(epochs=1.0, rate=1e-9)).loss
    shares: list[float] = []
    done = train(net, objective, recipe(rate=0.03 if kind == "bag" else 0.01), progress=shares.append)
    accuracy = (TorchSession(net).run(encoded.arrays)["logits"].argmax(1) == targets).mean()
    assert start == pytest.approx(np.log(3), abs=0.2)
    assert done.loss < 0.3 * start
    assert accuracy > 0.95
    assert done.steps == len(shares) == 12 * TEXTS / 16
    assert done.tokens == 12 * encoded.arrays["lengths"].sum()
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert not net.training


def weights(kind: str, seed: int, **changes: float | str) -> list[torch.Tensor]:
    encoded, targets = problem()
    net = build(kind)
    torch.seed()  # what was drawn before a run must not matter to it
    objective = Classification(PackedTexts(encoded), targets)
    train(net, objective, recipe(epochs=1.5, seed=seed, **changes))
    return [p.detach() for p in net.parameters()]


@pytest.mark.parametrize("changes", [{}, {"average": 0.5}, {"precision": "bf16"}], ids=str)
@pytest.mark.parametrize("kind", ["bert", "lstm"])
def test_the_same_seed_gives_the_same_weights_bit_for_bit(kind: str, changes: dict[str, float]) -> None:
    first, again, other = (weights(kind, seed, **changes) for seed in (3, 3, 4))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(first, other, strict=True))


def test_a_fraction_of_an_epoch_is_a_share_of_its_batches() -> None:
    encoded, targets = problem()
    objective = Classification(PackedTexts(encoded), targets)
    steps = [train(build("bag"), objective, recipe(epochs=e)).steps for e in (0.01, 0.5, 1.0, 1.5)]
    assert steps == [1, 5, 10, 15]


@pytest.mark.parametrize("kind", ["bert", "lstm", "bag"])
def test_a_batchs_gradient_is_the_mean_of_its_texts_gradients(kind: str) -> None:
    encoded, targets = problem()
    objective = Classification(PackedTexts(encoded), targets)
    net = build(kind, dropout=0.0).train()

    def gradients(rows: list[int]) -> list[torch.Tensor]:
        net.zero_grad()
        objective.loss(net, objective.collate(np.array(rows))).value.backward()
        return [torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in net.parameters()]

    together, alone = gradients([3, 8, 1, 40, 7]), [gradients([row]) for row in (3, 8, 1, 40, 7)]
    for whole, *parts in zip(together, *alone, strict=True):
        torch.testing.assert_close(whole, torch.stack(parts).mean(0), atol=1e-6, rtol=1e-3)


def test_the_cost_estimate_counts_products_not_tables() -> None:
    net = build("bag")
    assert dense_parameters(net) == 16 * 3 + 3
    assert matmul_flops(False, 1) > 1e8
    both = [training_s(1e6, 10**6, bf16=False, threads=1, forward_only=only) for only in (True, False)]
    assert both[1] == pytest.approx(3 * both[0])
    assert training_s(2e6, 10**6, bf16=False, threads=1) == pytest.approx(2 * both[1])
