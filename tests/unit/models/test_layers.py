"""Heads over the layers of a frozen body, each choice against its definition."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
import torch

from gradatim.checkpoint.config import ModelConfig
from gradatim.checkpoint.folder import family_of
from gradatim.errors import CheckpointError, ConfigError
from gradatim.models.classifier import Tagger
from gradatim.models.encoders import with_capitals
from gradatim.models.inputs import Inputs
from gradatim.models.layers import FrozenReader, Layers
from gradatim.models.presets import Sizes, bert
from gradatim.models.session import TorchSession
from gradatim.nn.stack import Trace
from gradatim.types import CAPITALS

WIDTH, OUTPUTS = 14, 3
BODY = bert(Sizes(vocab_size=29, num_layers=5, width=WIDTH, num_heads=2, ffn_width=17, max_length=13))
LENGTHS = np.array([5, 1, 13, 7])
ARRAYS = {"ids": np.random.default_rng(0).integers(0, 29, LENGTHS.sum()), "lengths": LENGTHS}

each = pytest.mark.parametrize("layers", get_args(Layers))


def build(layers: Layers, recurrent_width: int = 0) -> Tagger:
    torch.manual_seed(0)
    config = ModelConfig(
        kind="tagging", body=BODY, num_outputs=OUTPUTS, layers=layers, recurrent_width=recurrent_width
    )
    model = config.build()
    assert isinstance(model, Tagger)
    assert ModelConfig.of(model) == config
    return model


@each
def test_features_are_what_the_choice_says(layers: Layers) -> None:
    model = build(layers).eval()
    inputs, trace = Inputs.of(ARRAYS), Trace([])
    with torch.no_grad():
        model.body.body(inputs.ids, inputs.layout, inputs.segments, trace)
        hidden = torch.stack(trace.hidden)[:, : inputs.num_tokens]
        features = {
            "embeddings": hidden[0],
            "last": hidden[5],
            "second-to-last": hidden[4],
            "sum of all": hidden[1:].sum(0),
            "sum of last four": hidden[2:].sum(0),
            "concatenation of last four": torch.cat([hidden[2], hidden[3], hidden[4], hidden[5]], dim=1),
            "scalar mix": hidden.mean(0),  # before it has learned
        }
        torch.testing.assert_close(model(inputs), model.head.linear(features[layers]))


@each
@pytest.mark.parametrize("recurrent_width", [0, 6])
def test_the_head_learns_and_the_body_does_not(layers: Layers, recurrent_width: int) -> None:
    model = build(layers, recurrent_width).train()
    assert model.head.training
    assert model.body.training
    assert not any(part.training for part in model.body.body.modules())
    out = model(Inputs.of(ARRAYS))
    assert out.shape == (LENGTHS.sum(), OUTPUTS)
    out.square().sum().backward()
    frozen = {id(p) for p in model.body.body.parameters()}
    for parameter in model.parameters():
        assert (parameter.grad is None) == (id(parameter) in frozen)


def test_a_session_gives_the_logits_of_tokens_in_their_order() -> None:
    model = build("last", 6).eval()
    logits = TorchSession(model, max_tokens=13).run(ARRAYS)["logits"]
    with torch.no_grad():
        alone = [
            model(Inputs.of({"ids": ids, "lengths": np.array([len(ids)])}))
            for ids in np.split(ARRAYS["ids"], np.cumsum(LENGTHS)[:-1])
        ]
    np.testing.assert_allclose(logits, torch.cat(alone).numpy(), atol=1e-5)


def test_a_body_is_told_what_it_learned_to_be_told() -> None:
    torch.manual_seed(0)
    body = with_capitals(BODY).build().eval()
    reader = FrozenReader(body, "last", 5, WIDTH).eval()
    torch.nn.init.zeros_(reader.marks[CAPITALS].weight)
    told = {**ARRAYS, CAPITALS: np.arange(LENGTHS.sum()) % 3}
    inputs = Inputs.of(told)
    with torch.no_grad():
        said = reader(inputs.ids, inputs.layout, None, None, **inputs.told)
        torch.testing.assert_close(said, body(inputs.ids, inputs.layout, None, None, **inputs.told))
        assert not torch.allclose(said, body(inputs.ids, inputs.layout), atol=1e-3)
        body.embedding.marks.silence()  # what is new to it, and what it will never learn
        torch.testing.assert_close(
            reader(inputs.ids, inputs.layout, None, None, **inputs.told), body(inputs.ids, inputs.layout)
        )


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ConfigError, match="needs 4 layers, and the body has 3"):
        FrozenReader(BODY.build(), "sum of last four", 3, WIDTH)
    with pytest.raises(CheckpointError, match="layers is 'sum of all'"):
        family_of(ModelConfig(kind="tagging", body=BODY, num_outputs=OUTPUTS, layers="sum of all"))
