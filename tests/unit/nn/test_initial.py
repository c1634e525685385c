"""Fresh weights that keep what goes through them at its size."""

from __future__ import annotations

import pytest
import torch

from gradatim.models.backbone import Backbone
from gradatim.models.presets import Sizes, gpt2, t5, transformer

SIZES = Sizes(vocab_size=997, num_layers=1, width=128, num_heads=4, ffn_width=512, max_length=16)


@pytest.mark.parametrize(("preset", "words"), [(t5, 1.0), (transformer, 128**-0.5)])
def test_variances_are_those_of_t5(preset, words: float) -> None:  # type: ignore[no-untyped-def]
    torch.manual_seed(0)
    body = Backbone(preset(SIZES))
    block = body.stack.blocks[0]
    q, k = block.attention.qkv.weight[:128], block.attention.qkv.weight[128:256]
    unscaled = block.attention.config.scale == 1
    for weight, std in (
        (body.embedding.words.weight, words), (k, 128**-0.5), (block.ffn.up.weight, 128**-0.5),
        (block.ffn.down.weight, 512**-0.5), (q, 128**-0.5 * (32**-0.5 if unscaled else 1)),
    ):  # fmt: skip
        assert weight.std().item() == pytest.approx(std, rel=0.05)


def test_others_have_one_deviation() -> None:
    body = Backbone(gpt2(SIZES))
    assert body.embedding.words.weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert body.stack.blocks[0].ffn.down.weight.std().item() == pytest.approx(0.02, rel=0.05)
