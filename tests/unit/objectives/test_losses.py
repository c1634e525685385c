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
from gradatim.models.inputs import Inputs, PackedTexts
from gradatim.models.presets import Sizes, bert
from gradatim.nn.stack import Trace
from gradatim.objectives.base import IGNORED, Objective
from gradatim.objectives.classification import Classification
from gradatim.objectives.distillation import Distillation
from gradatim.objectives.match import Match
from gradatim.objectives.regression import Regression
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
    objective = Classification(texts(), targets.numpy(), smoothing=0.2)
    torch.testing.assert_close(objective.score(logits, targets) / 2, wanted)


def scorer(multi_label: bool) -> Classification:
    return Classification(texts(), np.zeros((4, 3), np.float32) if multi_label else np.zeros(4, np.int64))


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
    loss = scorer(multi_label).imitation(student, teacher, temperature) / 5
    torch.testing.assert_close(loss, wanted)


@pytest.mark.parametrize("multi_label", [False, True])
def test_soft_loss_is_zero_and_flat_where_the_student_agrees(multi_label: bool) -> None:
    teacher = torch.tensor([[3.0, -2.0, 0.5], [30.0, -80.0, 0.0]])
    student = teacher.clone().requires_grad_()
    loss = scorer(multi_label).imitation(student, teacher, 2.0)
    loss.backward()
    assert loss.item() == pytest.approx(0.0, abs=1e-5)
    torch.testing.assert_close(student.grad, torch.zeros(2, 3), atol=1e-6, rtol=0)


def distillation(match: Match, targets: Any = (), **rest: Any) -> Distillation:
    known = np.asarray(targets, dtype=np.int64)
    hard = Classification(texts(), known)
    return Distillation(hard, match, teacher_logits=text_logits(model()).detach().numpy(), **rest)


EVERYTHING = Match(cosine=1.0, hidden=1.0, attention=1.0, layers=(0, 1))


def test_a_student_that_is_its_teacher_has_nothing_to_learn() -> None:
    objective = distillation(EVERYTHING, teacher=model())
    loss = objective.loss(model(), objective.collate(np.arange(4)))
    assert loss.parts.keys() == {"soft/labels", "cosine", "hidden", "attention"}
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
    match = Match(soft=0.0, cosine=1.0, hidden=1.0, attention=1.0, layers=(0, 1))
    ids, lengths = np.arange(1, 8), np.array([4, 3])
    packed = PackedTexts(Encoded({"ids": ids, "lengths": lengths}, np.arange(2), 2))
    student = model()
    with torch.no_grad():
        student.body.embedding.words.weight[0] *= -1
    objective = Distillation(Classification(packed, np.zeros(0, np.int64)), match, teacher=model())
    parts = objective.loss(student, objective.collate(np.arange(2))).parts
    assert parts == pytest.approx({"cosine": 0.0, "hidden": 0.0, "attention": 0.0}, abs=1e-6)


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
    assert batch.targets["labels"].tolist() == [IGNORED, 0, IGNORED, 2]
    loss = objective.loss(student, batch)
    wanted = F.cross_entropy(text_logits(student)[[1, 0]], torch.tensor([0, 2]))
    assert loss.parts["labels"] == pytest.approx(wanted.item(), abs=1e-5)
    unlabelled = objective.loss(student, objective.collate(np.array([2, 3])))
    assert unlabelled.value.item() == 0.0


@pytest.mark.parametrize(
    "fields",
    [{"temperature": 0.0}, {"temperature": -1.0}, {"hidden": 1.0}, {"attention": 1.0}, {"soft": 0.0}],
)
def test_a_match_without_what_it_needs_is_refused(fields: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=r"temperature|layers|imitate"):
        Match(**fields)


def test_inner_states_need_the_teacher() -> None:
    with pytest.raises(ConfigError, match="teacher"):
        distillation(EVERYTHING)


def test_both_are_objectives() -> None:
    for made in (Classification(texts(), np.zeros(4, np.int64)), distillation(Match())):
        assert isinstance(made, Objective)
        assert made.sizes.tolist() == [5, 9, 11, 3]


def test_regression_is_the_mean_squared_error_of_the_one_output() -> None:
    torch.manual_seed(0)
    net = Classifier(model().body, WIDTH, 1).eval()
    objective = Regression(texts(), np.array([2.5, -1.0, np.nan]))  # of the last two nothing is known
    loss = objective.loss(net, objective.collate(np.arange(4)))
    wanted = (text_logits(net)[:2, 0] - torch.tensor([2.5, -1.0])).square().mean()
    torch.testing.assert_close(loss.value, wanted, atol=1e-5, rtol=1e-5)
    assert loss.weight == 2


def test_hidden_states_cosine_and_attention_are_the_means_by_hand() -> None:
    teacher, student = model(), model(seed=1)
    objective = distillation(
        Match(soft=0.0, cosine=1.0, hidden=1.0, attention=1.0, layers=(0, 1)), teacher=teacher
    )
    parts = objective.loss(student, objective.collate(np.arange(4))).parts
    cosine, attention, states = [], [], ([], [])
    packed, start = texts(), 0
    for n in LENGTHS:
        inputs = Inputs.of({"ids": packed.ids[start : start + n], "lengths": np.array([n])}, fill=1)
        start += n
        s, t = Trace([], []), Trace([], [])
        student(inputs, s)
        teacher(inputs, t)
        cosine += [
            1 - F.cosine_similarity(a, b, dim=0) for a, b in zip(s.hidden[-1], t.hidden[-1], strict=True)
        ]
        for layer in (0, 1):
            a, b = s.hidden[layer + 1], t.hidden[layer + 1]
            states[layer].append(torch.stack([a, b]))
            gap = (s.weights[layer][0] - t.weights[layer][0])[0].square().sum(-1).mean(0) * n
            attention += list(gap)
    both = [torch.cat(pairs, 1) for pairs in states]
    hidden = [(a - b).square().mean() / b.var() for a, b in both]
    wanted = {"cosine": cosine, "hidden": hidden, "attention": attention}
    assert parts == pytest.approx(
        {name: torch.stack(x).mean().item() for name, x in wanted.items()}, rel=1e-4
    )


def test_a_live_teacher_gives_what_its_stored_logits_give() -> None:
    student, hard = model(seed=1), Classification(texts(), np.array([0, 1]))
    stored = Distillation(hard, Match(hard=0.5), teacher_logits=text_logits(model()).detach().numpy())
    live = Distillation(hard, Match(hard=0.5), teacher=model().train())
    rows = np.array([3, 0, 2])
    first, second = (o.loss(student, o.collate(rows)).parts for o in (stored, live))
    assert first.keys() == {"soft/labels", "labels"}
    assert first == pytest.approx(second, abs=1e-5)


def test_a_narrow_student_is_compared_through_its_projection() -> None:
    student, teacher = model(width=6), model()
    student.projection = torch.nn.Linear(6, WIDTH)
    match = Match(soft=0.0, cosine=1.0, hidden=1.0, layers=(0, 1))
    objective = Distillation(
        Classification(texts(), np.zeros(4, np.int64)), match, teacher=teacher, projection=student.projection
    )
    objective.loss(student, objective.collate(np.arange(4))).value.backward()
    assert student.projection.weight.grad.abs().max() > 0


def test_stored_logits_must_be_one_row_per_example() -> None:
    with pytest.raises(ConfigError, match="3 rows of teacher_logits"):
        Distillation(scorer(False), Match(), teacher_logits=np.zeros((3, 3), np.float32))


def test_a_batch_moves_whole() -> None:
    batch = Classification(texts(), np.zeros(4, np.int64)).collate(np.arange(4))
    moved = batch.to(torch.device("meta"))
    assert moved.inputs.ids.is_meta
    assert moved.targets["labels"].is_meta
    assert all(
        x.is_meta for group in moved.inputs.layout.groups for x in (group.gather, group.mask) if x is not None
    )
    assert moved.counts == batch.counts == {"labels": 4}
    assert moved.inputs.num_tokens == batch.num_tokens == LENGTHS.sum()
