"""Every preset has the published number of weights, and refuses what cannot be built."""

from __future__ import annotations

import pytest
import torch

from gradatim.errors import ConfigError
from gradatim.models.backbone import Backbone, BackboneConfig
from gradatim.models.classifier import num_parameters
from gradatim.models.language import Seq2Seq
from gradatim.models.presets import (
    SIZES,
    bert,
    decoder,
    distilbert,
    gpt,
    gpt2,
    marian,
    mpnet,
    roberta,
    t5,
    transformer,
)  # fmt: skip

# As counted in the reference implementation, without poolers and heads; in weights.
BODIES = {
    "bert-base": (bert, 108_891_648),
    "bert-large": (bert, 334_092_288),
    "roberta-base": (roberta, 124_055_040),
    "distilbert-base": (distilbert, 66_362_880),
    "mpnet-base": (mpnet, 108_895_872),
    "gpt": (gpt, 116_534_784),
    "gpt2": (gpt2, 124_439_808),
}
PAIRS = {
    "t5-small": (t5, 60_506_624),
    "t5-base": (t5, 222_903_552),
    "transformer-base": (transformer, 63_082_496),
    "transformer-big": (transformer, 214_245_376),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_body_has_the_published_weights(name: str) -> None:
    preset, published = BODIES[name]
    with torch.device("meta"):
        assert num_parameters(Backbone(preset(SIZES[name]))) == published


@pytest.mark.parametrize("name", PAIRS)
def test_an_encoder_decoder_has_the_published_weights(name: str) -> None:
    preset, published = PAIRS[name]
    config = preset(SIZES[name])
    with torch.device("meta"):
        model = Seq2Seq(config, decoder(config))
    assert num_parameters(model) == published


def test_a_deep_encoder_may_have_a_shallow_decoder() -> None:
    config = marian(SIZES["marian"])
    with torch.device("meta"):
        model = Seq2Seq(config, decoder(config, num_layers=1))
    assert (len(model.encoder.stack.blocks), len(model.decoder.stack.blocks)) == (6, 1)


def test_a_configuration_survives_a_dictionary() -> None:
    for preset, name in ((bert, "bert-base"), (t5, "t5-small"), (marian, "marian"), (mpnet, "mpnet-base")):
        config = preset(SIZES[name])
        assert BackboneConfig.from_dict(config.to_dict()) == config
        assert BackboneConfig.from_dict(decoder(config).to_dict()) == decoder(config)


def test_an_encoder_is_refused_as_a_decoder() -> None:
    config = transformer(SIZES["transformer-base"])
    with pytest.raises(ConfigError, match=r"presets\.decoder"):
        Seq2Seq(config, config)
