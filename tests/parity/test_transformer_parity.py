"""The Transformer of 2017, which transformers does not have, against the layers of torch itself."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from gradatim.models.language import Seq2Seq
from gradatim.models.presets import Sizes, decoder, transformer
from gradatim.nn.packed import Layout
from gradatim.nn.positions import sinusoids

SIZES = Sizes(vocab_size=53, num_layers=3, width=24, num_heads=3, ffn_width=44, max_length=17)
SOURCES, TARGETS = [7, 2, 11, 5], [3, 9, 1, 6]
TOLERANCE = 1e-5
NAMES = {  # ours, and theirs in a layer of the encoder; a decoder's norm of the ffn is its third
    "attention.qkv.": "self_attn.in_proj_",
    "attention.out.": "self_attn.out_proj.",
    "attention_norm.": "norm1.",
    "ffn.up.": "linear1.",
    "ffn.down.": "linear2.",
    "ffn_norm.": "norm2.",
}
CROSS = {"cross.out.": "multihead_attn.out_proj.", "cross_norm.": "norm2.", "ffn_norm.": "norm3."}


class Theirs(nn.Module):
    """torch's layers with our weights, over padded batches."""

    def __init__(self, ours: Seq2Seq, order: str) -> None:
        super().__init__()
        shape = (SIZES.width, SIZES.num_heads, SIZES.ffn_width, 0.0)
        how = {"batch_first": True, "norm_first": order == "pre"}
        self.words = ours.encoder.embedding.words
        self.encoder, self.decoder = (
            nn.ModuleList(kind(*shape, **how) for _ in range(SIZES.num_layers))
            for kind in (nn.TransformerEncoderLayer, nn.TransformerDecoderLayer)
        )
        self.norms = ours.encoder.stack.norm, ours.decoder.stack.norm
        with torch.no_grad():
            for side in ("encoder", "decoder"):
                for block, layer in zip(getattr(ours, side).stack.blocks, getattr(self, side), strict=True):
                    fill(layer, dict(block.named_parameters()), cross=side == "decoder")

    def forward(self, source: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """States of the encoder, and logits."""
        blank, ahead = source < 0, nn.Transformer.generate_square_subsequent_mask(target.shape[1])
        memory = self.embedded(source)
        for layer in self.encoder:
            memory = layer(memory, src_key_padding_mask=blank)
        memory = self.norms[0](memory)
        x = self.embedded(target)
        for layer in self.decoder:
            x = layer(x, memory, tgt_mask=ahead, memory_key_padding_mask=blank)
        return memory, self.norms[1](x) @ self.words.weight.T

    def embedded(self, ids: Tensor) -> Tensor:
        return self.words(ids.clamp(min=0)) * math.sqrt(SIZES.width) + sinusoids(ids.shape[1], SIZES.width)


def fill(layer: nn.Module, weights: dict[str, Tensor], *, cross: bool) -> None:
    """Give a layer of theirs the weights of a block of ours."""
    for ours, theirs in (NAMES | CROSS if cross else NAMES).items():
        for part in ("weight", "bias"):
            layer.get_parameter(theirs + part).copy_(weights[ours + part])
    if cross:
        for part in ("weight", "bias"):
            joined = torch.cat([weights[f"cross.q.{part}"], weights[f"cross.kv.{part}"]])
            layer.get_parameter(f"multihead_attn.in_proj_{part}").copy_(joined)


def rows(flat: Tensor, lengths: list[int], blank: int = -1) -> Tensor:
    return pad_sequence(list(flat.split(lengths)), batch_first=True, padding_value=blank)


def real(padded: Tensor, lengths: list[int]) -> Tensor:
    return torch.cat([row[:length] for row, length in zip(padded, lengths, strict=True)])


@pytest.mark.parametrize("order", ["post", "pre"])
@pytest.mark.parametrize("waste", [0.0, 0.25, 1.0])
def test_states_logits_and_gradients_are_those_of_torchs_layers(order: str, waste: float) -> None:
    torch.manual_seed(0)
    config = transformer(SIZES, norm_order=order)
    ours = Seq2Seq(config, decoder(config)).eval()
    for parameter in ours.parameters():
        nn.init.normal_(parameter, std=0.2)
    theirs = Theirs(ours, order).train()  # else it takes a way of its own
    rng = np.random.default_rng(1)
    source, target = (torch.from_numpy(rng.integers(0, 53, sum(n))) for n in (SOURCES, TARGETS))
    here, there = Layout.of(SOURCES, waste=waste), Layout.of(TARGETS, waste=waste)
    memory, wanted = theirs(rows(source, SOURCES), rows(target, TARGETS))
    logits = ours(source, here, target, there)
    torch.testing.assert_close(
        ours.encoder(source, here), real(memory, SOURCES), atol=TOLERANCE, rtol=TOLERANCE
    )
    torch.testing.assert_close(logits, real(wanted, TARGETS), atol=TOLERANCE, rtol=TOLERANCE)
    loss = F.cross_entropy(logits, target)
    (mine,) = torch.autograd.grad(loss, ours.encoder.embedding.words.weight)
    known = F.cross_entropy(real(wanted, TARGETS), target)
    (given,) = torch.autograd.grad(known, theirs.words.weight)
    torch.testing.assert_close(mine, given, atol=TOLERANCE, rtol=TOLERANCE)
