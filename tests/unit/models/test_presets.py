"""Every preset has the published number of weights, and refuses what cannot be built."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from gradatim.errors import ConfigError
from gradatim.models.backbone import Backbone, BackboneConfig, fewer_blocks
from gradatim.models.classifier import num_parameters
from gradatim.models.language import Seq2Seq
from gradatim.models.presets import (
    SIZES,
    Sizes,
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


@pytest.mark.parametrize(
    ("depth", "chosen"), [(1, [3]), (2, [1, 3]), (4, [0, 1, 2, 3]), (8, [0, 0, 1, 1, 2, 2, 3, 3])]
)
def test_blocks_are_left_out_or_repeated_evenly(depth: int, chosen: list[int]) -> None:
    body = bert(Sizes(vocab_size=5, num_layers=4, width=4, num_heads=1, ffn_width=4)).build()
    found = fewer_blocks(body, depth)
    for ours, theirs in zip(found.stack.blocks, chosen, strict=True):
        wanted = body.stack.blocks[theirs].state_dict()
        assert all(torch.equal(part, wanted[name]) for name, part in ours.state_dict().items())


def test_sides_with_the_same_word_vectors_have_one_vocabulary() -> None:
    config = transformer(Sizes(vocab_size=5, num_layers=1, width=4, num_heads=1, ffn_width=4))
    other = decoder(replace(config, embedding=replace(config.embedding, vocab_size=6)))
    with pytest.raises(ConfigError, match="one vocabulary"):
        Seq2Seq(config, other)
    Seq2Seq(config, other, shared=False)


def test_too_few_buckets_are_refused() -> None:
    sizes = Sizes(vocab_size=5, num_layers=1, width=4, num_heads=1, ffn_width=4)
    for buckets, causal in ((3, False), (1, True), (-2, False)):
        with pytest.raises(ConfigError, match="buckets"):
            t5(sizes, buckets=buckets, causal=causal).build()


def test_an_encoder_is_refused_as_a_decoder() -> None:
    config = transformer(SIZES["transformer-base"])
    with pytest.raises(ConfigError, match=r"presets\.decoder"):
        Seq2Seq(config, config)
