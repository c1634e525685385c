"""The classifier with each body, and the same model as a Session."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gradatim.models.backbone import Backbone
from gradatim.models.classifier import Classifier, WordVectors, num_parameters
from gradatim.models.inputs import Inputs
from gradatim.models.presets import Sizes, bert
from gradatim.models.recurrent import RecurrentConfig
from gradatim.models.session import TorchSession
from gradatim.nn.pooling import pool
from gradatim.types import Array

LENGTHS = np.array([5, 1, 13, 7, 5, 2, 11])
VOCABULARY, WIDTH, LABELS = 29, 14, 3


def build(kind: str) -> Classifier:
    torch.manual_seed(0)
    if kind == "bert":
        config = bert(
            Sizes(vocab_size=VOCABULARY, num_layers=2, width=WIDTH, num_heads=2, ffn_width=17, max_length=13)
        )
        return Classifier(Backbone(config), WIDTH, LABELS)
    if kind == "lstm":
        return Classifier(
            RecurrentConfig(
                vocab_size=VOCABULARY, width=5, hidden_width=WIDTH // 2, bidirectional=True
            ).build(),
            WIDTH,
            LABELS,
            pooling=("max", "mean"),
        )
    return Classifier(WordVectors(VOCABULARY, WIDTH), WIDTH, LABELS)


def arrays(lengths: Array = LENGTHS) -> dict[str, Array]:
    ids = np.random.default_rng(0).integers(0, VOCABULARY, lengths.sum())
    return {"ids": ids, "segments": ids % 2, "lengths": lengths}


def shuffled(whole: dict[str, Array], order: Array) -> dict[str, Array]:
    cuts = np.cumsum(whole["lengths"])[:-1]
    flat = {n: np.concatenate([np.split(whole[n], cuts)[i] for i in order]) for n in ("ids", "segments")}
    return {**flat, "lengths": whole["lengths"][order]}


kinds = pytest.mark.parametrize("kind", ["bert", "lstm", "bag"])


@kinds
def test_logits_are_the_head_over_the_joined_poolings(kind: str) -> None:
    model = build(kind).eval()
    inputs = Inputs.of(arrays())
    with torch.no_grad():
        states = model.body(inputs.ids, inputs.layout, inputs.segments)
        pooled = torch.cat([pool(states, inputs.layout, how) for how in model.pooling], -1)
        joined = pooled[: len(LENGTHS)]  # the rest fills the batch
        torch.testing.assert_close(model(inputs), model.head(joined))
    assert model(inputs).shape == (len(LENGTHS), LABELS)
    assert model.features(inputs).shape == (len(LENGTHS), WIDTH * len(model.pooling))


@kinds
def test_a_session_gives_the_models_logits_whatever_the_order_and_the_batch(kind: str) -> None:
    model, whole = build(kind).eval(), arrays()
    with torch.no_grad():
        direct = model(Inputs.of(whole)).numpy()
        vectors = model.features(Inputs.of(whole)).numpy()
    order = np.random.default_rng(1).permutation(len(LENGTHS))
    for max_tokens in (1, 12, 8192):
        session = TorchSession(model, max_tokens=max_tokens)
        out = session.run(whole)
        np.testing.assert_allclose(out["logits"], direct, atol=1e-5)
        np.testing.assert_allclose(out["features"], vectors, atol=1e-5)
        np.testing.assert_allclose(session.run(shuffled(whole, order))["logits"], direct[order], atol=1e-5)
    assert out["logits"].dtype == np.float32


def test_a_session_keeps_to_its_tokens_and_uses_every_row(monkeypatch: pytest.MonkeyPatch) -> None:
    model, seen = build("bag").eval(), []
    features = model.features

    def spy(inputs: Inputs) -> torch.Tensor:
        seen.append(inputs.layout.lengths[: len(inputs.owners)].tolist())
        return features(inputs)

    monkeypatch.setattr(model, "features", spy)
    TorchSession(model, max_tokens=12).run(arrays(np.array([6, 6, 5, 13, 7, 1])))
    assert seen == [[1, 5, 6], [6], [7], [13]]


def test_a_session_evaluates_and_leaves_training_as_it_was() -> None:
    model = build("bert").train()
    first, second = (TorchSession(model).run(arrays())["logits"] for _ in range(2))
    assert np.array_equal(first, second)
    assert model.training
    assert all(part.training for part in model.modules())


def test_a_bf16_session_stays_close() -> None:
    model = build("bert").eval()
    exact = TorchSession(model).run(arrays())["logits"]
    rounded = TorchSession(model, bf16=True).run(arrays())["logits"]
    assert rounded.dtype == np.float32
    assert not np.array_equal(exact, rounded)
    # Eight bits of mantissa: 2^-8 relative, over a handful of roundings.
    assert np.abs(exact - rounded).max() <= 0.03 * np.abs(exact).max()


def test_static_vectors_know_neither_order_nor_segments() -> None:
    model = build("bag").eval()
    ids = np.array([3, 8, 20])
    ahead, behind = (
        model(Inputs.of({"ids": np.array(i), "lengths": np.array([3])})) for i in (ids, ids[::-1])
    )
    torch.testing.assert_close(ahead, behind)


def test_every_weight_is_counted() -> None:
    model = build("bag")
    assert num_parameters(model) == VOCABULARY * WIDTH + WIDTH * LABELS + LABELS
