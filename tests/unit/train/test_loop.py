"""Training learns, repeats bit for bit, and takes the gradient it should."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from gradatim.errors import GradatimError
from gradatim.models.backbone import Backbone
from gradatim.models.classifier import Classifier, WordVectors
from gradatim.models.inputs import PackedTexts
from gradatim.models.presets import Sizes, bert
from gradatim.models.recurrent import RecurrentConfig
from gradatim.models.session import TorchSession
from gradatim.objectives.base import IGNORED, Batch
from gradatim.objectives.classification import Classification
from gradatim.train.cost import dense_parameters, matmul_flops, training_s
from gradatim.train.evaluation import held_out
from gradatim.train.journal import read_log
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
        return Classifier(
            RecurrentConfig(
                vocab_size=VOCABULARY, width=16, hidden_width=8, bidirectional=True, dropout=dropout
            ).build(),
            16,
            3,
            dropout=dropout,
        )
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


@pytest.mark.parametrize("kind", ["bert", "lstm", "bag"])
def test_micro_batches_make_the_same_step_as_the_whole(kind: str) -> None:
    encoded, targets = problem()
    targets = np.where(np.arange(TEXTS) % 3 == 0, IGNORED, targets)  # parts score unequal numbers of targets
    objective = Classification(PackedTexts(encoded), targets)
    nets = [build(kind, dropout=0.0) for _ in range(3)]
    runs = [
        train(net, objective, recipe(epochs=2.0, accumulate=parts))
        for net, parts in zip(nets, (1, 3, 16), strict=True)
    ]
    assert all((run.steps, run.tokens) == (20, runs[0].tokens) for run in runs)
    for whole, *parts in zip(*(net.parameters() for net in nets), strict=True):
        for part in parts:
            torch.testing.assert_close(part, whole, atol=2e-4, rtol=1e-3)


class Seeds(Classification):
    """Keeps the seeds that batches are drawn with."""

    seen: list[tuple[int, int]] = []  # noqa: RUF012

    def collate(self, rows: Array, seed: int = 0) -> Batch:
        self.seen.append((seed, len(rows)))
        return super().collate(rows, seed)


def test_every_step_has_a_seed_of_its_own_and_its_parts_share_it() -> None:
    encoded, targets = problem()
    objective = Seeds(PackedTexts(encoded), targets)
    drawn = []
    for seed, parts in ((3, 1), (3, 2), (4, 1)):
        objective.seen = []
        train(build("bag"), objective, recipe(epochs=1.0, seed=seed, accumulate=parts))
        drawn.append([seed for seed, _ in objective.seen])
    assert len(set(drawn[0])) == 10
    assert drawn[1] == [seed for seed in drawn[0] for _ in range(2)]
    assert not set(drawn[0]) & set(drawn[2])


def test_early_stopping_keeps_the_best_weights() -> None:
    encoded, targets = problem()
    net = build("bag")
    scores = iter([0.1, 0.7, 0.3, 0.5, 0.6, 0.9])
    seen: list[torch.Tensor] = []

    def evaluate() -> float:
        assert not net.training
        seen.append(net.head.linear.weight.detach().clone())
        return next(scores)

    objective = Classification(PackedTexts(encoded), targets)
    done = train(net, objective, recipe(evaluate_every=4, patience=3), evaluate=evaluate)
    assert (done.steps, done.score) == (20, 0.7)
    assert torch.equal(net.head.linear.weight, seen[1])
    assert not torch.equal(seen[1], seen[-1])


def test_the_average_competes_with_the_weights_that_were_evaluated() -> None:
    encoded, targets = problem()
    objective, done = Classification(PackedTexts(encoded), targets), []
    for last in (0.2, 0.9):
        net, scores, seen = build("bag"), iter([0.1, 0.5, last]), []

        def evaluate() -> float:
            seen.append(net.head.linear.weight.detach().clone())  # noqa: B023
            return next(scores)  # noqa: B023

        made = train(net, objective, recipe(epochs=2.0, average=0.5), evaluate=evaluate)
        done.append((made.score, [torch.equal(net.head.linear.weight, weight) for weight in seen]))
    assert done == [(0.5, [False, True, False]), (0.9, [False, False, True])]


def test_frozen_blocks_do_not_move_in_their_epochs() -> None:
    encoded, targets = problem()
    objective, net, start = Classification(PackedTexts(encoded), targets), build("bert"), build("bert")
    train(net, objective, recipe(epochs=1.0, unfreeze=True))
    moved = {
        name.partition(".")[0]
        for (name, after), before in zip(net.named_parameters(), start.parameters(), strict=True)
        if not torch.equal(after, before)
    }
    assert moved == {"head"}
    assert all(p.requires_grad for p in net.parameters())
    train(net, objective, recipe(epochs=3.0, unfreeze=True))
    assert not torch.equal(net.body.embedding.words.weight, start.body.embedding.words.weight)


def test_the_schedule_begins_anew_with_each_part_that_thaws(tmp_path: Path) -> None:
    encoded, targets = problem()
    objective = Classification(PackedTexts(encoded), targets)
    chosen = recipe(epochs=4.0, unfreeze=True, log_every=1)  # head, block, and vectors for two
    train(build("bert"), objective, chosen, folder=tmp_path)
    rates = [record["rate"] for record in read_log(tmp_path / "log.jsonl")]
    spans = [10, 10, 20]
    assert rates == [chosen.rate * chosen.factor(step, span) for span in spans for step in range(span)]


def test_a_loss_that_is_no_number_stops_the_run_and_names_the_step(tmp_path: Path) -> None:
    encoded, targets = problem()
    net = build("bag")
    with torch.no_grad():
        net.head.linear.bias[0] = torch.nan
    objective = Classification(PackedTexts(encoded), targets)
    with pytest.raises(GradatimError, match="diverged: the loss is nan at step 1"):
        train(net, objective, recipe(save_every=1), folder=tmp_path)
    assert not list(tmp_path.glob("checkpoints/*"))


def test_the_log_tells_the_run(tmp_path: Path) -> None:
    encoded, targets = problem()
    objective = Classification(PackedTexts(encoded), targets)
    done = train(
        build("bert"), objective, recipe(epochs=2.5, log_every=10, schedule="constant", warmup=0.0),
        folder=tmp_path, evaluate=lambda: 0.25,
    )  # fmt: skip
    records = read_log(tmp_path / "log.jsonl")
    assert [record["step"] for record in records] == [10, 20, 25]
    assert [record["score"] for record in records] == [0.25] * 3
    assert records[-1]["tokens"] == done.tokens
    assert all(record["rate"] == 0.01 and record["tokens_per_s"] > 0 for record in records)
    assert records[0]["loss"] == pytest.approx(np.log(3), abs=0.3)


def test_the_loss_held_out_is_the_mean_over_targets() -> None:
    encoded, targets = problem()
    objective, net = Classification(PackedTexts(encoded), targets), build("bert").eval()
    with torch.no_grad():
        whole = objective.loss(net, objective.collate(np.arange(TEXTS))).value.item()
    assert held_out(net, objective, recipe(batch_size=7)) == pytest.approx(whole, rel=1e-5)


def test_training_in_memory_loads_neither_accelerate_nor_tensorboard() -> None:
    code = """
import sys
import gradatim.train.loop
print([name for name in ("accelerate", "torch.utils.tensorboard", "rich") if name in sys.modules])
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


def test_the_cost_estimate_counts_products_not_tables() -> None:
    net = build("bag")
    assert dense_parameters(net) == 16 * 3 + 3
    assert matmul_flops(False, 1) > 1e8
    both = [training_s(1e6, 10**6, bf16=False, threads=1, forward_only=only) for only in (True, False)]
    assert both[1] == pytest.approx(3 * both[0])
    assert training_s(2e6, 10**6, bf16=False, threads=1) == pytest.approx(2 * both[1])
