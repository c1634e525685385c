"""The supervised contrast against its formula, pair by pair, and who is drawn beside whom."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gradatim.models.backbone import Backbone
from gradatim.models.classifier import Classifier
from gradatim.models.inputs import PackedTexts
from gradatim.models.presets import Sizes, bert
from gradatim.objectives.base import Objective
from gradatim.objectives.contrast import Contrast
from gradatim.types import Array, Encoded

WIDTH, TEMPERATURE = 14, 0.3
LENGTHS = np.array([5, 2, 7, 11, 3, 4, 6])
OWNERS = np.array([0, 1, 1, 2, 3, 4, 5])  # the second text has two windows
ONE = np.array([0, 1, 0, 1, 0, 2])
SEVERAL = np.array([[1, 1, 0], [0, 1, 1], [1, 0, 0], [0, 0, 0], [1, 1, 1], [0, 1, 0]], np.float32)


def texts() -> PackedTexts:
    ids = np.random.default_rng(0).integers(0, 29, LENGTHS.sum())
    return PackedTexts(Encoded({"ids": ids, "lengths": LENGTHS}, OWNERS, 6))


def model() -> Classifier:
    torch.manual_seed(0)
    sizes = Sizes(vocab_size=29, num_layers=2, width=WIDTH, num_heads=2, ffn_width=17, max_length=11)
    built = Classifier(Backbone(bert(sizes)), WIDTH, 3)
    for parameter in built.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return built.eval()


def alike(targets: Array, one: int, other: int) -> float:
    """The share of labels that two texts have in common."""
    if targets.ndim == 1:
        return float(targets[one] == targets[other])
    mine, theirs = (set(np.flatnonzero(targets[row])) for row in (one, other))
    return len(mine & theirs) / max(1, len(mine | theirs))


@pytest.mark.parametrize("targets", [ONE, SEVERAL])
def test_the_loss_is_the_formula_written_out(targets: Array) -> None:
    net, objective = model(), Contrast(texts(), targets, temperature=TEMPERATURE)
    assert isinstance(objective, Objective)
    batch = objective.collate(np.array([5, 1, 3, 0]), seed=3)
    read = batch.rows
    single = [texts().take(np.array([row])) for row in read]
    vectors = [inputs.pool_windows(net.features(inputs))[0].detach() for inputs in single]
    vectors = [vector / vector.norm() for vector in vectors]
    losses = []
    for i, row in enumerate(read):
        others = [j for j in range(len(read)) if j != i]
        near = {j: float((vectors[i] @ vectors[j]) / TEMPERATURE) for j in others}
        below = np.log(sum(np.exp(value) for value in near.values()))
        weights = {j: alike(targets, row, read[j]) for j in others}
        if total := sum(weights.values()):
            losses.append(-sum(weights[j] * (near[j] - below) for j in others) / total)
    loss = objective.loss(net, batch)
    # A text without labels draws nobody near.
    assert loss.weight == len(losses) == (8 if targets is ONE else 6)
    assert loss.value.item() == pytest.approx(np.mean(losses), rel=1e-4)
    loss.value.backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in net.parameters())


@pytest.mark.parametrize("targets", [ONE, SEVERAL])
def test_a_partner_is_another_text_with_a_label_in_common(targets: Array) -> None:
    objective, everyone = Contrast(texts(), targets), np.arange(6)
    met: dict[int, set[int]] = {row: set() for row in everyone}
    for seed in range(60):
        drawn = objective.collate(everyone, seed).rows[6:]
        for row, partner in zip(everyone, drawn, strict=True):
            met[row].add(int(partner))
        one = objective.collate(np.array([4]), seed).rows
        assert one[1] == drawn[4], "what is drawn depends on the example and the seed alone"
    for row, partners in met.items():
        wanted = {other for other in everyone if other != row and alike(targets, row, other)}
        assert partners == (wanted or {row})


def test_sizes_count_the_partner() -> None:
    assert Contrast(texts(), ONE).sizes.tolist() == [11, 15, 17, 9, 10, 12]
