"""Losses against their formulas, and what distillation compares."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from gradatim.errors import ConfigError
from gradatim.models.backbone import Backbone
from gradatim.models.classifier import Classifier
from gradatim.models.inputs import PackedTexts
from gradatim.models.presets import Sizes, bert
from gradatim.objectives.base import Objective
from gradatim.objectives.classification import Classification, hard_loss
from gradatim.objectives.distillation import Distillation, Match, soft_loss
from gradatim.types import Encoded

WIDTH, LABELS = 14, 3
LENGTHS = np.array([5, 2, 7, 11, 3])
OWNERS = np.array([0, 1, 1, 2, 3])  # the second text has two windows


def model(num_layers: int = 2, seed: int = 0, width: int = WIDTH) -> Classifier:
    torch.manual_seed(seed)
    config = bert(
        Sizes(vocab_size=29, num_layers=num_layers, width=width, num_heads=2, ffn_width=17, max_length=11)
    )
    built = Classifier(Backbone(config), width, LABELS)
    for parameter in built.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return built.eval()


def texts() -> PackedTexts:
    ids = np.random.default_rng(0).integers(0, 29, LENGTHS.sum())
    return PackedTexts(Encoded({"ids": ids, "lengths": LENGTHS}, OWNERS, 4))


def text_logits(net: Classifier) -> torch.Tensor:
    """Logits of the texts, one row at a time, windows pooled by hand."""
    packed = texts()
    rows, start = [], 0
    for n in LENGTHS:
        alone = PackedTexts(
            Encoded({"ids": packed.ids[start : start + n], "lengths": np.array([n])}, np.array([0]), 1)
        )
        rows.append(net(alone.take(np.array([0])))[0])
        start += n
    both = (rows[1] * 2 + rows[2] * 7) / 9
    return torch.stack([rows[0], both, rows[3], rows[4]])


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy_of_a_packed_batch_is_torchs_on_rows_alone(smoothing: float) -> None:
    net, targets = model(), np.array([2, 0, 1, 1])
    objective = Classification(texts(), targets, smoothing=smoothing)
    rows = np.array([3, 1, 0])
    loss = objective.loss(net, objective.collate(rows)).value
    wanted = F.cross_entropy(text_logits(net)[rows], torch.tensor([1, 0, 2]), label_smoothing=smoothing)
    torch.testing.assert_close(loss, wanted, atol=1e-5, rtol=1e-5)


def test_multi_label_loss_is_summed_over_labels_and_averaged_over_texts() -> None:
    net, targets = model(), np.array([[1, 0, 1], [0, 0, 0], [1, 1, 1], [0, 1, 0]], np.float32)
    objective = Classification(texts(), targets)
    loss = objective.loss(net, objective.collate(np.arange(4))).value
    p, y = text_logits(net).sigmoid(), torch.from_numpy(targets)
    wanted = -(y * p.log() + (1 - y) * (1 - p).log()).sum(-1).mean()
    torch.testing.assert_close(loss, wanted, atol=1e-5, rtol=1e-4)


def test_multi_label_smoothing_pulls_targets_to_one_half() -> None:
    logits, targets = torch.zeros(2, 3), torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
    logits = logits + 2
    smooth = targets * 0.8 + 0.1
    wanted = F.binary_cross_entropy_with_logits(logits, smooth, reduction="sum") / 2
    torch.testing.assert_close(hard_loss(logits, targets, 0.2), wanted)


@pytest.mark.parametrize("multi_label", [False, True])
@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_soft_loss_is_the_divergence_by_hand(multi_label: bool, temperature: float) -> None:
    torch.manual_seed(0)
    student, teacher = torch.randn(5, 3).double() * 3, torch.randn(5, 3).double() * 3
    if multi_label:
        p, q = (teacher / temperature).sigmoid(), (student / temperature).sigmoid()
        kl = p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log()
    else:
        p, q = (teacher / temperature).softmax(-1), (student / temperature).softmax(-1)
        kl = p * (p / q).log()
    wanted = temperature**2 * kl.sum(-1).mean()
    torch.testing.assert_close(soft_loss(student, teacher, temperature, multi_label=multi_label), wanted)


@pytest.mark.parametrize("multi_label", [False, True])
def test_soft_loss_is_zero_and_flat_where_the_student_agrees(multi_label: bool) -> None:
    teacher = torch.tensor([[3.0, -2.0, 0.5], [30.0, -80.0, 0.0]])
    student = teacher.clone().requires_grad_()
    loss = soft_loss(student, teacher, 2.0, multi_label=multi_label)
    loss.backward()
    assert loss.item() == pytest.approx(0.0, abs=1e-5)
    torch.testing.assert_close(student.grad, torch.zeros(2, 3), atol=1e-6, rtol=0)


def distillation(match: Match, targets: Any = (), **rest: Any) -> Distillation:
    known = np.asarray(targets, dtype=np.int64)
    return Distillation(texts(), text_logits(model()).detach().numpy(), known, match, **rest)


EVERYTHING = Match(hidden=1.0, attention=1.0, layers=(0, 1))


def test_a_student_that_is_its_teacher_has_nothing_to_learn() -> None:
    objective = distillation(EVERYTHING, teacher=model())
    loss = objective.loss(model(), objective.collate(np.arange(4)))
    assert loss.parts.keys() == {"soft", "hidden", "attention"}
    assert loss.value.item() == pytest.approx(0.0, abs=1e-5)
    other = objective.loss(model(seed=1), objective.collate(np.arange(4)))
    assert min(other.parts.values()) > 1e-3
    assert other.value.item() == pytest.approx(sum(other.parts.values()), rel=1e-5)


def test_a_shallow_student_is_compared_with_the_layers_named() -> None:
    teacher = model(num_layers=3)
    student = model(num_layers=1)
    student.body.embedding.load_state_dict(teacher.body.embedding.state_dict())
    student.body.stack.blocks[0].load_state_dict(teacher.body.stack.blocks[0].state_dict())
    for layer, agrees in ((0, True), (1, False), (2, False)):
        match = Match(hidden=1.0, attention=1.0, layers=(layer,))
        objective = distillation(match, teacher=teacher)
        parts = objective.loss(student, objective.collate(np.arange(4))).parts
        assert (parts["hidden"] < 1e-6) is agrees
        assert (parts["attention"] < 1e-6) is agrees


def test_inner_states_of_rows_that_only_fill_a_batch_are_not_compared() -> None:
    """A student that differs only in how it reads the filling token has nothing to learn from a text."""
    match = Match(soft=0.0, hidden=1.0, attention=1.0, layers=(0, 1))
    ids, lengths = np.arange(1, 8), np.array([4, 3])
    packed = PackedTexts(Encoded({"ids": ids, "lengths": lengths}, np.arange(2), 2))
    student = model()
    with torch.no_grad():
        student.body.embedding.words.weight[0] *= -1
    objective = Distillation(
        packed, np.zeros((2, 3), np.float32), np.zeros(0, np.int64), match, teacher=model()
    )
    parts = objective.loss(student, objective.collate(np.arange(2))).parts
    assert parts["hidden"] == pytest.approx(0.0, abs=1e-6)
    assert parts["attention"] == pytest.approx(0.0, abs=1e-6)


def test_the_teacher_takes_no_gradient() -> None:
    teacher = model()
    objective = distillation(EVERYTHING, teacher=teacher)
    student = model(seed=1)
    objective.loss(student, objective.collate(np.arange(4))).value.backward()
    assert all(parameter.grad is None for parameter in teacher.parameters())
    assert student.body.stack.blocks[0].attention.qkv.weight.grad.abs().max() > 0


def test_unlabelled_texts_take_no_hard_loss() -> None:
    student = model(seed=1)
    objective = distillation(Match(soft=0.0, hard=1.0), targets=[2, 0])
    batch = objective.collate(np.array([3, 1, 2, 0]))
    assert batch.targets.tolist() == [0, 2]
    loss = objective.loss(student, batch)
    wanted = F.cross_entropy(text_logits(student)[[1, 0]], torch.tensor([0, 2]))
    assert loss.parts["hard"] == pytest.approx(wanted.item(), abs=1e-5)
    unlabelled = objective.loss(student, objective.collate(np.array([2, 3])))
    assert "hard" not in unlabelled.parts
    assert unlabelled.value.item() == 0.0


@pytest.mark.parametrize(
    "fields", [{"temperature": 0.0}, {"temperature": -1.0}, {"hidden": 1.0}, {"attention": 1.0}]
)
def test_a_match_without_what_it_needs_is_refused(fields: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=r"temperature|layers"):
        Match(**fields)


def test_inner_states_need_the_teacher() -> None:
    with pytest.raises(ConfigError, match="teacher"):
        distillation(EVERYTHING)


def test_both_are_objectives() -> None:
    for made in (Classification(texts(), np.zeros(4, np.int64)), distillation(Match())):
        assert isinstance(made, Objective)
        assert made.sizes.tolist() == [5, 9, 11, 3]
