"""Convolutional encoder-decoders: all tokens at once are a token at a time, at every depth and kernel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from gradatim.checkpoint.config import Kind, ModelConfig
from gradatim.checkpoint.folder import read_model, save_model
from gradatim.decode.search import Search
from gradatim.decode.write import write
from gradatim.errors import CheckpointError, ConfigError
from gradatim.models.attentive import AttentiveConfig
from gradatim.models.convolutional import ConvolutionalConfig, ConvolutionalSeq2Seq
from gradatim.models.inputs import Inputs
from gradatim.models.stepper import TorchStepper
from gradatim.nn.packed import Layout
from gradatim.nn.stack import Trace

SOURCES, TARGETS, VOCABULARY = [5, 2, 7, 1], [3, 6, 1, 11], 29
SHAPES = [(1, 1), (1, 3), (2, 2), (3, 3), (2, 5), (1, 13)]  # blocks and kernels, some wider than any row


def shape(layers: int = 2, kernel: int = 3, dropout: float = 0.0) -> ConvolutionalConfig:
    return ConvolutionalConfig(
        vocab_size=VOCABULARY, width=7, num_layers=layers, kernel=kernel, max_length=17, dropout=dropout
    )


def model(layers: int = 2, kernel: int = 3) -> ConvolutionalSeq2Seq:
    torch.manual_seed(0)
    encoder = shape(layers, kernel)
    net = ConvolutionalSeq2Seq(encoder, encoder.decoder(layers + 1))
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    return net.eval()


def batch() -> tuple[torch.Tensor, Layout, torch.Tensor, Layout]:
    generator = torch.Generator().manual_seed(1)
    source, target = (
        torch.randint(VOCABULARY, (sum(lengths),), generator=generator) for lengths in (SOURCES, TARGETS)
    )
    return source, Layout.of(SOURCES), target, Layout.of(TARGETS)


def close(a: torch.Tensor, b: torch.Tensor) -> None:
    torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("layers", "kernel"), SHAPES)
@torch.no_grad()
def test_a_pair_read_in_any_company_or_step_by_step_is_the_same(layers: int, kernel: int) -> None:
    net, (source, here, target, there) = model(layers, kernel), batch()
    together = net(source, here, target, there).split(TARGETS)
    for own, ids, wanted in zip(source.split(SOURCES), target.split(TARGETS), together, strict=True):
        alone = Layout.of([len(own)])
        close(wanted, net(own, alone, ids, Layout.of([len(ids)])))
        state = net.begin(own, alone)
        close(wanted, torch.cat([net.advance(token[None], state) for token in ids]))


@pytest.mark.parametrize(("layers", "kernel"), SHAPES)
@torch.no_grad()
def test_what_comes_after_changes_nothing_before(layers: int, kernel: int) -> None:
    net, (source, here, target, there) = model(layers, kernel), batch()
    row = slice(10, 21)  # the longest target
    for place in range(1, 11):
        other = target.clone()
        other[row.start + place] = (other[row.start + place] + 1) % VOCABULARY
        was, now = net(source, here, target, there), net(source, here, other, there)
        first = row.start + place
        close(was[:first], now[:first])
        assert not torch.allclose(was[first], now[first])


@torch.no_grad()
def test_a_reordered_state_goes_on_from_the_chosen_rows() -> None:
    net, (source, here, _, _) = model(), batch()
    state, chosen = net.begin(source, here), torch.tensor([2, 2, 0, 3, 1])
    for step in range(3):
        net.advance(torch.arange(4) + step, state)
    picked, ids = state.reorder(chosen), torch.tensor([3, 5, 7, 11])
    close(net.advance(ids[chosen], picked), net.advance(ids, state)[chosen])
    assert state.attention is not None
    assert picked.attention is not None
    close(picked.attention, state.attention[chosen])


@torch.no_grad()
def test_weights_are_distributions_and_those_of_steps() -> None:
    layers, trace = 2, Trace([], weights=[])
    net, (source, here, target, there) = model(layers), batch()
    net.states(source, here, target, there, trace)
    assert len(trace.cross_weights) == layers + 1
    assert len(trace.hidden) == layers + 2
    for row, length in enumerate(TARGETS):
        state = net.begin(source.split(SOURCES)[row], Layout.of([SOURCES[row]]))
        for place, token in enumerate(target.split(TARGETS)[row]):
            net.advance(token[None], state)
            seen = torch.stack(
                [_of(layer, there, row)[place, : SOURCES[row]] for layer in trace.cross_weights]
            )
            torch.testing.assert_close(seen.sum(-1), torch.ones(layers + 1))
            assert state.attention is not None
            close(state.attention[0], seen.mean(0))
        assert place == length - 1


def _of(layer: list[torch.Tensor], layout: Layout, row: int) -> torch.Tensor:
    """The weights (longest, source) of one row, in whichever group it is."""
    for group, weights in zip(layout.groups, layer, strict=True):
        if row in group.members:
            return weights[group.members.tolist().index(row), 0]
    raise AssertionError(row)


@pytest.mark.parametrize("beams", [1, 3])
def test_texts_are_searched_and_say_where_they_looked(beams: int) -> None:
    source, _, _, _ = batch()
    arrays = {"ids": source.numpy(), "lengths": np.array(SOURCES)}
    found = write(TorchStepper(model(), start=1), arrays, Search(end=2, max_length=8, beams=beams))
    for i, ([text], length) in enumerate(zip(found, SOURCES, strict=True)):
        assert text.attention is not None
        assert text.attention.shape == (len(text.ids), length)
        np.testing.assert_allclose(text.attention.sum(axis=1), 1, atol=1e-5)
        own = {"ids": source.split(SOURCES)[i].numpy(), "lengths": np.array([length])}
        [[alone]] = write(TorchStepper(model(), start=1), own, Search(end=2, max_length=8, beams=beams))
        assert alone.ids.tolist() == text.ids.tolist()


def test_every_weight_learns_and_a_copy_is_learned() -> None:
    torch.manual_seed(0)
    encoder = ConvolutionalConfig(
        vocab_size=VOCABULARY, width=31, num_layers=2, kernel=3, max_length=17, dropout=0.05
    )
    net = ConvolutionalSeq2Seq(encoder, encoder.decoder())
    optimizer, losses = torch.optim.AdamW(net.parameters(), lr=5e-3), []
    generator, layout = torch.Generator().manual_seed(0), Layout.of([5] * 32)
    for _ in range(120):
        source = torch.randint(2, VOCABULARY, (32, 5), generator=generator)
        target = source.roll(1, 1).index_fill(1, torch.tensor([0]), 1)
        logits = net(source.flatten(), layout, target.flatten(), layout)
        loss = torch.nn.functional.cross_entropy(logits, source.flatten())
        loss.backward()
        if not losses:
            assert all(p.grad is not None and p.grad.abs().max() > 0 for p in net.parameters())
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert losses[0] == pytest.approx(np.log(VOCABULARY), rel=0.2)
    assert np.mean(losses[-10:]) < 0.5


@pytest.mark.parametrize("tied", [True, False])
@torch.no_grad()
def test_a_model_is_stored_and_read_again(tied: bool, tmp_path: Path) -> None:
    net = ConvolutionalSeq2Seq(shape(), shape().decoder(3), shared=tied, tied=tied, bias=not tied).eval()
    config = ModelConfig.of(net, special={"eos": 2})
    assert (config.shared, config.tied, config.bias) == (tied, tied, not tied)
    save_model(net, tmp_path, config=config)
    read = read_model(tmp_path)
    assert read.config == config
    assert config.decoder == shape().decoder(3)
    torch.testing.assert_close(read.model.eval()(*batch()), net(*batch()), rtol=0, atol=0)


@pytest.mark.parametrize("kind", ["body", "classification", "tagging"])
def test_an_encoder_is_a_body(kind: Kind) -> None:
    config = ModelConfig(kind=kind, body=shape(), num_outputs=0 if kind == "body" else 3)
    net, inputs = config.build(), Inputs.of({"ids": batch()[0].numpy(), "lengths": np.array(SOURCES)})
    assert ModelConfig.of(net).body == shape()
    assert ModelConfig.from_dict(config.to_dict()) == config
    said = net(inputs.ids, inputs.layout) if kind == "body" else net(inputs)
    assert said.shape == {"body": (64, 7), "classification": (4, 3), "tagging": (15, 3)}[kind]


def test_what_cannot_be_is_refused() -> None:
    for wrong, said in (({"kernel": 0}, "kernel"), ({"dropout": 1.0}, "dropout"), ({"width": 0}, "width")):
        with pytest.raises(ConfigError, match=said):
            ConvolutionalConfig(**{"vocab_size": 11, "width": 7, **wrong})
    with pytest.raises(ConfigError, match="decoder"):
        ConvolutionalSeq2Seq(shape(), shape())
    with pytest.raises(ConfigError, match="width"):
        ConvolutionalSeq2Seq(shape(), ConvolutionalConfig(vocab_size=11, width=5, cross=True))
    recurrent = AttentiveConfig(vocab_size=11, width=5, hidden_width=7)
    with pytest.raises(CheckpointError, match="one kind"):
        ModelConfig(kind="seq2seq", body=shape(), decoder=recurrent).build()
    net, ids = model(), torch.tensor([3])
    state = net.begin(ids, Layout.of([1]))
    for _ in range(17):
        net.advance(ids, state)
    with pytest.raises(IndexError):  # each place has a vector
        net.advance(ids, state)
