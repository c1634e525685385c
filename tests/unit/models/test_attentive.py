"""Recurrent encoder-decoders: all tokens at once are a token at a time, whatever looks at the source, and how."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
import torch

from gradatim.checkpoint.config import ModelConfig
from gradatim.decode.search import Search
from gradatim.decode.write import write
from gradatim.models.attentive import AttentiveConfig, Place, RecurrentSeq2Seq
from gradatim.models.recurrent import RecurrentConfig
from gradatim.models.stepper import TorchStepper
from gradatim.nn.packed import Layout
from gradatim.nn.recurrent import Cell
from gradatim.nn.scorer import Score, Scorer
from gradatim.nn.stack import Trace

SOURCES, TARGETS = [5, 2, 7, 1], [3, 6, 1, 4]
WAYS: list[tuple[Place, Score]] = [
    ("none", "additive"), ("before", "additive"), ("before", "general"), ("before", "dot"), ("after", "dot"),
    ("after", "general"), ("after", "additive"),
]  # fmt: skip


def model(place: Place, score: Score, cell: Cell = "gru", layers: int = 2) -> RecurrentSeq2Seq:
    torch.manual_seed(0)
    encoder = RecurrentConfig(
        vocab_size=31, width=10, hidden_width=7, cell=cell, bidirectional=True, locked=False
    )
    decoder = AttentiveConfig(
        vocab_size=29, width=11, hidden_width=14, cell=cell, num_layers=layers, place=place, score=score
    )
    net = RecurrentSeq2Seq(encoder, decoder)
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return net.eval()


def batch() -> tuple[torch.Tensor, Layout, torch.Tensor, Layout]:
    generator = torch.Generator().manual_seed(1)
    source = torch.randint(0, 31, (sum(SOURCES),), generator=generator)
    target = torch.randint(0, 29, (sum(TARGETS),), generator=generator)
    return source, Layout.of(SOURCES), target, Layout.of(TARGETS)


@pytest.mark.parametrize("cell", get_args(Cell))
@pytest.mark.parametrize("way", WAYS)
@torch.no_grad()
def test_a_pair_read_in_any_company_or_step_by_step_is_the_same(way: tuple[Place, Score], cell: Cell) -> None:
    net, (source, here, target, there) = model(*way, cell), batch()
    together = net(source, here, target, there).split(TARGETS)
    for own, ids, wanted in zip(source.split(SOURCES), target.split(TARGETS), together, strict=True):
        alone = net(own, Layout.of([len(own)]), ids, Layout.of([len(ids)]))
        state = net.begin(own, Layout.of([len(own)]))
        stepped = torch.cat([net.advance(token[None], state) for token in ids])
        torch.testing.assert_close(wanted, alone, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(wanted, stepped, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("way", WAYS[1:])
@torch.no_grad()
def test_weights_are_a_distribution_over_the_source(way: tuple[Place, Score]) -> None:
    net, trace = model(*way), Trace([], weights=[])
    net.states(*batch(), trace)
    [[weights]] = trace.cross_weights
    assert weights.shape == (4, 1, 6, 7)
    for row, (source, target) in enumerate(zip(SOURCES, TARGETS, strict=True)):
        seen = weights[row, 0, :target]
        torch.testing.assert_close(seen.sum(-1), torch.ones(target))
        assert (seen[:, source:] == 0).all()


def test_scores_are_those_of_the_papers() -> None:
    torch.manual_seed(0)
    s, h = torch.randn(1, 1, 4), torch.randn(1, 3, 4)
    for score in get_args(Score):
        scorer = Scorer(score, 4, 4)
        if score == "dot":
            values = [s[0, 0] @ h[0, j] for j in range(3)]
        elif score == "general":
            values = [s[0, 0] @ (scorer.key.weight @ h[0, j]) for j in range(3)]
        else:
            bias = scorer.query.bias
            values = [
                scorer.value.weight[0]
                @ torch.tanh(scorer.query.weight @ s[0, 0] + bias + scorer.key.weight @ h[0, j])
                for j in range(3)
            ]
        wanted = torch.stack(values).softmax(0)
        context, weights = scorer(s, scorer.keys(h), h, None)
        torch.testing.assert_close(weights[0, 0], wanted)
        torch.testing.assert_close(context[0, 0], wanted @ h[0])


@pytest.mark.parametrize("way", WAYS)
def test_texts_are_searched_and_say_where_they_looked(way: tuple[Place, Score]) -> None:
    source, _, _, _ = batch()
    arrays = {"ids": source.numpy(), "lengths": np.array(SOURCES)}
    for beams in (1, 3):
        found = write(TorchStepper(model(*way), start=1), arrays, Search(end=2, max_length=8, beams=beams))
        for [text], length in zip(found, SOURCES, strict=True):
            if way[0] == "none":
                assert text.attention is None
            else:
                assert text.attention is not None
                assert text.attention.shape == (len(text.ids), length)
                np.testing.assert_allclose(text.attention.sum(axis=1), 1, atol=1e-5)


def test_a_configuration_is_read_off_the_model_and_back() -> None:
    net = model("after", "general", "lstm")
    config = ModelConfig.of(net, special={"eos": 2})
    again = ModelConfig.from_dict(config.to_dict())
    assert again == config
    assert isinstance(again.build(), RecurrentSeq2Seq)
