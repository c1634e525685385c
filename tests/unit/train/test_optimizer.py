"""Rates by depth, clipping over dense and sparse gradients, and sparse updates equal to dense ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gradatim.models.backbone import Backbone
from gradatim.models.classifier import Classifier
from gradatim.models.inputs import Inputs
from gradatim.models.presets import Sizes, bert
from gradatim.train.averaging import Average
from gradatim.train.optimizer import LazyAdam, Optimizer, Unfreezing, sparse_embeddings
from gradatim.train.recipe import Recipe

ROWS = 2048  # large enough to be sparse


class Lookup(nn.Module):
    """A table and a product, so that both kinds of gradient occur."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.table = nn.Embedding(ROWS, 3)
        self.product = nn.Linear(3, 5)

    def forward(self, ids: Tensor) -> Tensor:
        return self.product(self.table(ids))


def run(steps: list[list[int]], *, sparse: bool, **recipe: float) -> Lookup:
    net = Lookup()
    if sparse:
        sparse_embeddings(net)
    optimizer = Optimizer(net, Recipe(rate=0.01, weight_decay=0.0, **recipe))
    for ids in steps:
        net(torch.tensor(ids)).square().sum().backward()
        optimizer.step(1.0)
    return net


@pytest.mark.parametrize("clip", [1e9, 0.05])
def test_rows_seen_at_every_step_move_as_under_dense_adam(clip: float) -> None:
    steps = [[4, 9, 4], [9, 4, 1000], [4, 9, 9]]
    sparse, dense = (run(steps, sparse=kind, clip=clip) for kind in (True, False))
    seen = torch.tensor([4, 9])
    torch.testing.assert_close(sparse.table.weight[seen], dense.table.weight[seen], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(sparse.product.weight, dense.product.weight, atol=1e-5, rtol=1e-4)


def test_lazy_adam_is_that_of_torch() -> None:
    ours, theirs = Lookup(), Lookup()
    for net in (ours, theirs):
        net.table.sparse = True
    groups = ([{"params": [net.table.weight], "lr": 0.01}] for net in (ours, theirs))
    steppers = LazyAdam(next(groups), (0.9, 0.98)), torch.optim.SparseAdam(next(groups), betas=(0.9, 0.98))
    for ids in ([4, 9, 4], [9, 1000], [4, 7]):
        for net, stepper in zip((ours, theirs), steppers, strict=True):
            net(torch.tensor(ids)).square().sum().backward()
            net.table.weight.grad = net.table.weight.grad.coalesce()
            stepper.step()
            stepper.zero_grad()
    torch.testing.assert_close(ours.table.weight, theirs.table.weight, atol=1e-7, rtol=1e-6)


def test_rows_never_seen_stay_where_they_are() -> None:
    start, after = Lookup().table.weight, run([[4, 9], [4, 9]], sparse=True).table.weight
    moved = (start != after).any(-1).nonzero().ravel().tolist()
    assert moved == [4, 9]


def test_only_large_tables_become_sparse() -> None:
    small, large = nn.Embedding(1023, 2), nn.Embedding(1024, 2)
    sparse_embeddings(nn.ModuleList([small, large]))
    assert (small.sparse, large.sparse) == (False, True)


def test_a_table_that_is_also_the_output_stays_dense() -> None:
    table, output = nn.Embedding(ROWS, 2), nn.Linear(2, ROWS)
    output.weight = table.weight
    sparse_embeddings(nn.ModuleList([table, output]))
    assert not table.sparse


@pytest.mark.parametrize("sparse", [True, False])
def test_clipping_counts_every_gradient_once(sparse: bool) -> None:
    net = Lookup()
    if sparse:
        sparse_embeddings(net)
    optimizer = Optimizer(net, Recipe(clip=0.1))
    net(torch.tensor([4, 4, 9])).sum().backward()  # row 4 occurs twice: its gradients add up first
    whole = [p.grad.to_dense() for p in net.parameters()]
    wanted = torch.cat([g.ravel() for g in whole]).norm().item()
    assert optimizer.step(0.0) == pytest.approx(wanted, rel=1e-5)
    assert all(p.grad is None for p in net.parameters())


def test_decay_acts_on_matrices_and_not_on_vectors() -> None:
    net = nn.Linear(3, 5)
    before = [p.detach().clone() for p in net.parameters()]
    optimizer = Optimizer(net, Recipe(rate=0.1, weight_decay=0.5))
    (net(torch.zeros(1, 3)) * 0).sum().backward()
    optimizer.step(1.0)
    torch.testing.assert_close(net.weight, before[0] * (1 - 0.1 * 0.5))
    torch.testing.assert_close(net.bias, before[1])


def classifier() -> Classifier:
    torch.manual_seed(0)
    config = bert(Sizes(vocab_size=29, num_layers=3, width=6, num_heads=2, ffn_width=7, max_length=13))
    return Classifier(Backbone(config), 6, 2)


def test_rates_fall_by_one_factor_per_block_down_and_the_head_has_its_own() -> None:
    net = classifier()
    net.body.embedding.segments.requires_grad_(False)
    optimizer = Optimizer(net, Recipe(rate=0.1, head_rate=0.7, layer_decay=0.5))
    rate = {
        parameter: group["lr"]
        for stepper in optimizer.steppers
        for group in stepper.param_groups
        for parameter in group["params"]
    }
    blocks = net.body.stack.blocks
    assert [rate[block.ffn.up.weight] for block in blocks] == pytest.approx([0.025, 0.05, 0.1])
    assert rate[net.body.embedding.words.weight] == pytest.approx(0.0125)
    assert rate[net.head.linear.weight] == rate[net.head.linear.bias] == 0.7
    assert net.body.embedding.segments.weight not in rate
    optimizer = Optimizer(net, Recipe(rate=0.1))
    assert {group["lr"] for stepper in optimizer.steppers for group in stepper.param_groups} == {0.1}


def test_a_factor_scales_every_rate_from_its_peak() -> None:
    net = classifier()
    optimizer = Optimizer(net, Recipe(rate=0.1, head_rate=0.4))
    for factor in (0.5, 0.25):  # not one upon the other
        net(Inputs.of({"ids": np.arange(5), "lengths": np.array([5])})).sum().backward()
        optimizer.step(factor)
        rates = {group["lr"] for stepper in optimizer.steppers for group in stepper.param_groups}
        assert rates == {0.1 * factor, 0.4 * factor}


def test_the_average_is_the_mean_of_the_weights_it_saw() -> None:
    net = classifier()
    average, seen = Average(net, start=5, stride=2), []
    for step in range(12):
        with torch.no_grad():
            for parameter in net.parameters():
                parameter.add_(torch.randn(parameter.shape))
        average.update(step)
        if step in (5, 7, 9, 11):
            seen.append([p.detach().clone() for p in net.parameters()])
    average.apply()
    for parameter, *states in zip(net.parameters(), *seen, strict=True):
        torch.testing.assert_close(parameter.detach(), torch.stack(states).mean(0), atol=1e-5, rtol=1e-4)


def test_a_running_average_forgets() -> None:
    net = nn.Linear(1, 1, bias=False)
    average, wanted = Average(net, start=0, decay=0.75), 0.0
    for step, value in enumerate((1.0, 3.0, 2.0, 8.0, -4.0, 6.0)):
        with torch.no_grad():
            net.weight.fill_(value)
        average.update(step)
        share = max(0.25, 1 / (step + 1))  # it begins as the mean
        wanted += share * (value - wanted)
    average.apply()
    assert net.weight.item() == pytest.approx(wanted)


@pytest.mark.parametrize("kind", ["adamw", "adafactor"])
def test_restored_state_goes_on_bit_for_bit(kind: str) -> None:
    def step(net: Lookup, optimizer: Optimizer, ids: list[int]) -> None:
        net(torch.tensor(ids)).square().sum().backward()
        optimizer.step(1.0)

    nets = [Lookup(), Lookup()]
    for net in nets if kind == "adamw" else ():
        sparse_embeddings(net)
    first, second = (Optimizer(net, Recipe(rate=0.01, optimizer=kind)) for net in nets)
    for ids in ([4, 9], [9, 1000], [4, 7]):
        step(nets[0], first, ids)
    nets[1].load_state_dict(nets[0].state_dict())
    second.restore({name: memory.clone() for name, memory in first.state().items()})
    for net, optimizer in zip(nets, (first, second), strict=True):
        step(net, optimizer, [9, 11])
    for one, other in zip(nets[0].parameters(), nets[1].parameters(), strict=True):
        assert torch.equal(one, other)


def test_adafactor_moves_weights_by_shares_of_their_size() -> None:
    moved = []
    for size in (1.0, 100.0):
        net = Lookup()
        with torch.no_grad():
            for weight in net.parameters():
                weight.copy_(torch.full_like(weight, size))
        optimizer = Optimizer(net, Recipe(rate=0.01, optimizer="adafactor", weight_decay=0.0))
        net(torch.tensor([4, 9])).sum().backward()
        before = net.product.weight.detach().clone()
        optimizer.step(1.0)
        moved.append(float((net.product.weight.detach() - before).abs().mean()) / size)
    assert moved == pytest.approx([0.01, 0.01], rel=1e-3)


def test_unfreezing_goes_down_one_block_per_epoch() -> None:
    net = classifier()
    net.body.embedding.segments.requires_grad_(False)
    unfreezing, blocks = Unfreezing(net), net.body.stack.blocks
    parts = [net.head.linear, *reversed([block.ffn.up for block in blocks]), net.body.embedding.words]
    for epoch in range(6):
        unfreezing.begin(epoch)
        assert [part.weight.requires_grad for part in parts] == [level <= epoch for level in range(5)]
    assert not net.body.embedding.segments.weight.requires_grad  # was frozen before


def test_an_average_that_saw_nothing_changes_nothing() -> None:
    net = classifier()
    before = [p.detach().clone() for p in net.parameters()]
    Average(net, start=100).apply()
    assert all(torch.equal(p, b) for p, b in zip(net.parameters(), before, strict=True))


@pytest.mark.parametrize("sparse", [False, True])
def test_plain_descent_is_its_equation(sparse: bool) -> None:
    """w <- w - rate (gradient + decay w), decay on dense matrices alone."""
    net = Lookup()
    if sparse:
        sparse_embeddings(net)
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    optimizer = Optimizer(net, Recipe(rate=0.5, weight_decay=0.1, optimizer="sgd", clip=1e9))
    net(torch.tensor([4, 9, 4])).square().sum().backward()
    gradients = {name: torch.as_tensor(p.grad).to_dense().clone() for name, p in net.named_parameters()}
    optimizer.step(0.5)
    for name, p in net.named_parameters():
        decay = 0.1 if p.dim() > 1 and not (sparse and name == "table.weight") else 0.0
        torch.testing.assert_close(p, before[name] - 0.25 * (gradients[name] + decay * before[name]))
