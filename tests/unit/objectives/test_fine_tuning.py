"""Tags of words, spans of rows and choices of questions, against the same written out one by one."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gradatim.errors import DataError
from gradatim.models.backbone import Backbone
from gradatim.models.classifier import Classifier, Tagger
from gradatim.models.inputs import Inputs, PackedTexts
from gradatim.models.presets import Sizes, bert
from gradatim.objectives.base import IGNORED
from gradatim.objectives.choice import Choice
from gradatim.objectives.distillation import Distillation
from gradatim.objectives.match import Match
from gradatim.objectives.span import Span
from gradatim.objectives.tagging import Tagging
from gradatim.types import Encoded

WIDTH = 14
LENGTHS = np.array([6, 4, 7, 11, 3])
OWNERS = np.array([0, 1, 1, 2, 3])  # the second text has two windows
IDS = np.random.default_rng(0).integers(0, 29, LENGTHS.sum())
STARTS = np.cumsum(LENGTHS) - LENGTHS


def texts() -> PackedTexts:
    return PackedTexts(Encoded({"ids": IDS, "lengths": LENGTHS}, OWNERS, 4))


def body() -> Backbone:
    torch.manual_seed(0)
    built = Backbone(bert(Sizes(
        vocab_size=29, num_layers=2, width=WIDTH, num_heads=2, ffn_width=17, max_length=11
    )))  # fmt: skip
    for parameter in built.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return built


def tagger(num_outputs: int) -> Tagger:
    net = Tagger(body(), WIDTH, num_outputs).eval()
    torch.nn.init.normal_(net.head.linear.weight)
    return net


def alone(net: Tagger | Classifier, row: int) -> torch.Tensor:
    ids = IDS[STARTS[row] : STARTS[row] + LENGTHS[row]]
    scores: torch.Tensor = net(Inputs.of({"ids": ids, "lengths": LENGTHS[row : row + 1]}, fill=1))
    return scores


def test_a_words_first_piece_carries_its_tag_once() -> None:
    #                 [CLS] and [SEP] are -1; word 4 lies in both windows of the second text
    words = [-1, 0, 1, 1, 2, -1, -1, 3, 4, -1, -1, 4, 4, 5, 5, 5, -1, -1, *range(6, 15), -1, -1, 15, -1]
    tags = np.array([2, 0, 1, IGNORED, 2, 1, *[0] * 9, 1])
    objective, net = Tagging(texts(), np.array(words), tags), tagger(3)
    batch = objective.collate(np.array([1, 3, 0]))
    # Text 1 has 11 tokens, text 3 three: word 4 at 2, word 5 at 7, word 15 at 12, words 0 to 2 in text 0.
    assert batch.at.tolist() == [2, 7, 12, 15, 16, 18]
    assert batch.targets["tags"].tolist() == [2, 1, 1, 2, 0, 1]
    wanted = [(1, 2, 2), (2, 3, 1), (4, 1, 1), (0, 1, 2), (0, 2, 0), (0, 4, 1)]  # row, place, tag
    costs = [-alone(net, row)[place].log_softmax(-1)[tag] for row, place, tag in wanted]
    loss = objective.loss(net, batch)
    torch.testing.assert_close(loss.value, torch.stack(costs).mean(), atol=1e-5, rtol=1e-5)
    assert loss.weight == 6


def test_words_without_tags_are_refused() -> None:
    with pytest.raises(DataError, match="2 tagged words"):
        Tagging(texts(), np.full(len(IDS), 2), np.zeros(2, np.int64))
    with pytest.raises(DataError, match="31 tokens"):
        Tagging(texts(), np.zeros(3, np.int64), np.zeros(2, np.int64))


SPANS = np.array([[1, 4], [0, 0], [6, 6], [2, 9], [0, 0]])


def test_span_loss_is_the_mean_of_start_and_end_over_each_row() -> None:
    objective, net = Span(texts(), SPANS), tagger(2)
    batch = objective.collate(np.array([2, 1]))
    costs = []
    for row in (3, 1, 2):
        logs = alone(net, row).log_softmax(0)
        costs += [-logs[SPANS[row, 0], 0], -logs[SPANS[row, 1], 1]]
    loss = objective.loss(net, batch)
    torch.testing.assert_close(loss.value, torch.stack(costs).mean(), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("span", [[3, 2], [-1, 2], [1, 4]])
def test_a_span_outside_its_row_is_refused(span: list[int]) -> None:
    spans = SPANS.copy()
    spans[1] = span
    with pytest.raises(DataError, match="row 1 has 4 tokens"):
        Span(texts(), spans)
    with pytest.raises(DataError, match=r"\(5, 2\)"):
        Span(texts(), spans[:4])


def test_choices_of_one_question_compete_with_each_other_only() -> None:
    net = Classifier(body(), WIDTH, 1).eval()
    torch.nn.init.normal_(net.head.linear.weight)
    objective = Choice(texts(), np.array([3, 1]), np.array([1, 0]))
    assert objective.sizes.tolist() == [28, 3]
    two = (alone(net, 1)[0] * 4 + alone(net, 2)[0] * 7) / 11  # a choice of two windows
    scores = torch.cat([alone(net, 0)[0], two, alone(net, 3)[0]])
    loss = objective.loss(net, objective.collate(np.array([1, 0])))
    wanted = -scores.log_softmax(0)[1] / 2  # a question of one choice is answered
    torch.testing.assert_close(loss.value, wanted, atol=1e-5, rtol=1e-5)
    assert loss.weight == 2


def test_choices_that_do_not_add_up_are_refused() -> None:
    for counts, answers in (([3, 2], [0, 0]), ([3, 1], [0]), ([3, 1], [0, 1]), ([3, 1], [0, -1])):
        with pytest.raises(DataError, match="do not fit"):
            Choice(texts(), np.array(counts), np.array(answers))


@pytest.mark.parametrize("kind", ["span", "choice"])
def test_what_a_row_cannot_choose_is_no_part_of_imitation(kind: str) -> None:
    """Rows of different lengths are padded with impossible logits; those must not count or give NaN."""
    objective: Span | Choice = Span(texts(), SPANS)
    student, teacher = tagger(2), tagger(2)
    if kind == "choice":
        objective = Choice(texts(), np.array([3, 1]), np.array([1, 0]))
        student, teacher = (Classifier(body(), WIDTH, 1).eval() for _ in range(2))
    torch.nn.init.normal_(teacher.head.linear.weight, std=2.0)
    batch = (wrapped := Distillation(objective, Match(temperature=3.0), teacher=teacher)).collate(
        np.arange(2)
    )
    loss = wrapped.loss(student, batch)
    p, q = (objective.logits(net, batch)[kind] for net in (teacher, student))
    rows = []
    for t, s in zip(p, q, strict=True):
        t, s = t[t > -1e8], s[t > -1e8]
        p_t, q_t = (t / 3).softmax(0), (s / 3).softmax(0)
        rows.append(9 * (p_t * (p_t / q_t).log()).sum())
    torch.testing.assert_close(loss.value, torch.stack(rows).mean(), atol=1e-5, rtol=1e-4)
    loss.value.backward()
    assert student.head.linear.weight.grad.isfinite().all()
