"""An encoder-decoder that is primed knows frequencies, looks near by, and at the same token of the source."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gradatim.errors import ConfigError
from gradatim.models.inputs import PackedTexts
from gradatim.models.language import Seq2Seq
from gradatim.models.presets import Sizes, decoder, t5
from gradatim.nn.positions import RelativeBias
from gradatim.objectives.corruption import SpanCorruption
from gradatim.train.kinds.language import SpanCorruptionSettings
from gradatim.train.kinds.primed import near, prime
from gradatim.types import Encoded

VOCABULARY, SENTINEL, END = 80, 79, 1


def corruption() -> SpanCorruption:
    """Texts of tokens 2 to 59, some of them far more frequent than others."""
    rng = np.random.default_rng(0)
    ids = 2 + np.minimum(rng.geometric(0.15, 6000) - 1, 57)
    return SpanCorruption(
        PackedTexts(Encoded({"ids": ids, "lengths": np.full(60, 100)}, np.arange(60), 60)),
        50, sentinel_id=SENTINEL, num_sentinels=20, end_id=END, share=0.3,
    )  # fmt: skip


def build() -> Seq2Seq:
    torch.manual_seed(0)
    body = t5(Sizes(
        vocab_size=VOCABULARY, num_layers=2, width=64, num_heads=4, ffn_width=128, max_length=64, dropout=0.0,
        attention_dropout=0.0,
    ))  # fmt: skip
    return Seq2Seq(body, decoder(body), tied=False).eval()


def loss(model: Seq2Seq, objective: SpanCorruption) -> float:
    with torch.no_grad():
        return objective.loss(model, objective.collate(np.arange(len(objective.sizes)), seed=1)).value.item()


def test_what_is_written_is_counted() -> None:
    objective = corruption()
    counted, rows = objective.written(VOCABULARY), np.arange(len(objective.sizes))
    drawn = np.zeros(VOCABULARY)
    for seed in range(20):
        np.add.at(drawn, objective.collate(rows, seed).targets["target"].numpy(), 1 / 20)
    assert counted.sum() == pytest.approx(drawn.sum())
    assert counted[[SENTINEL, SENTINEL - 3, END]] == pytest.approx(drawn[[SENTINEL, SENTINEL - 3, END]])
    assert np.abs(counted - drawn).max() < 0.1 * drawn.max()


def test_a_primed_model_begins_at_the_frequencies_of_what_is_written() -> None:
    objective, model = corruption(), build()
    shares = objective.written(VOCABULARY) / objective.written(VOCABULARY).sum()
    entropy = -np.sum(shares[shares > 0] * np.log(shares[shares > 0]))
    before = loss(model, objective)
    prime(model, objective)
    assert before > entropy + 1.0
    assert loss(model, objective) < entropy + 0.5


def test_a_primed_model_looks_at_the_same_token_of_the_source() -> None:
    objective, model = corruption(), build()
    prime(model, objective)
    x = torch.randn(30, 64)
    for block in model.decoder.stack.blocks:
        q, k = (
            part.view(30, 4, 16).transpose(0, 1) for part in (block.cross.q(x), block.cross.kv(x)[:, :64])
        )
        chosen = (q @ k.transpose(1, 2)).argmax(-1)
        assert (chosen == torch.arange(30)).float().mean() > 0.5


@pytest.mark.parametrize("causal", [False, True])
def test_what_is_near_is_seen_most(causal: bool) -> None:
    bias = RelativeBias(4, 32, 128, causal=causal)
    with torch.no_grad():
        bias.table.weight.copy_(near(bias))
        behind, ahead = (bias(sign * torch.arange(1, 100)[None, None])[0, :, 0] for sign in (-1, 1))
    assert (behind.diff() <= 0).all()
    assert torch.equal(
        behind[:, 0], torch.tensor([-1, -0.25, -0.0625, -0.015625] if causal else [-1, -9, -0.25, -8.25])
    )
    if not causal:
        assert torch.equal(ahead[[1, 0, 3, 2]], behind)


def test_a_tied_output_is_not_primed() -> None:
    with pytest.raises(ConfigError, match="primed needs an output of its own: set tied = false"):
        SpanCorruptionSettings(primed=True)
