"""ULMFiT by recipe: a recurrent language model becomes a classifier, with its own dropout, pooling and rates."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from gradatim.checkpoint.folder import read_model
from gradatim.errors import ConfigError
from gradatim.models.classifier import Classifier
from gradatim.train.build import Materials, Prepared
from gradatim.train.job import run
from gradatim.train.kinds.texts import ClassificationSettings
from gradatim.train.optimizer import Optimizer, Unfreezing, levels
from gradatim.train.recipe import Recipe
from gradatim.train.recipe_file import read_recipe
from gradatim.types import Examples

pytest.importorskip("datasets")
LANGUAGE = """
[model]
preset = "awd-lstm"
num_layers = 2
width = 8
hidden_width = 12
[data]
source = "text.txt"
tokenizer = "tokenizer.json"
max_length = 8
dev_share = 0.0
[objective]
kind = "causal"
[train]
epochs = 1
batch_size = 2
"""
CLASSIFY = """
[model]
from = "language/model"
pooling = ["last", "max", "mean"]
dropout = 0.0
[data]
source = "train.csv"
dev = "train.csv"
test = "test.csv"
[objective]
kind = "classification"
test = true
[train]
epochs = 12
batch_size = 8
rate = 3e-2
layer_decay = 0.5
unfreeze = true
schedule = "slanted_triangular"
precision = "fp32"
"""


@pytest.fixture
def here(tmp_path: Path, tokenizer_json: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GRADATIM_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    (tmp_path / "tokenizer.json").write_text(tokenizer_json)
    (tmp_path / "text.txt").write_text(" ".join(rng.choice(["good", "bad", "film", "the"], 400)))
    for name, count in (("train", 60), ("test", 20)):
        lines = [
            f"{rng.choice(['the', 'film', 'very'])} {word} film {i % 7},{word}"
            for i in range(count)
            for word in [["good", "bad"][i % 2]]
        ]
        (tmp_path / f"{name}.csv").write_text("\n".join(["text,label", *lines]) + "\n")
    (tmp_path / "language.toml").write_text(LANGUAGE)
    (tmp_path / "classify.toml").write_text(CLASSIFY)
    run(read_recipe(tmp_path / "language.toml"), tmp_path / "language")
    return tmp_path


def prepare(here: Path, *changes: str, recipe: str = "classify") -> Prepared:
    read = read_recipe(here / f"{recipe}.toml", changes)
    return read.objective.prepare(Materials(read.model, read.data, read.train))


def test_a_language_model_becomes_a_classifier(here: Path) -> None:
    made = prepare(here)
    assert isinstance(made.model, Classifier)
    assert made.config.pooling == ("last", "max", "mean")
    assert made.config.body.dropout == 0.0  # type: ignore[union-attr]
    assert made.config.body.weight_drop == 0.5  # type: ignore[union-attr]
    before = read_model(here / "language" / "model").model.state_dict()
    for name, tensor in made.model.state_dict().items():
        if name.startswith("body."):
            assert torch.equal(tensor, before[name]), name
    run(read_recipe(here / "classify.toml"), here / "run")
    metrics = json.loads((here / "run" / "metrics.json").read_text())
    assert metrics["accuracy"] >= 0.95
    assert metrics["test_accuracy"] >= 0.9
    assert read_model(here / "run" / "model").config.pooling == ("last", "max", "mean")


def test_a_fresh_language_model_knows_how_often_words_occur(here: Path) -> None:
    made = prepare(here, recipe="language")
    words, size = made.objective.ids, made.config.body.vocab_size  # type: ignore[attr-defined]
    shares = (np.bincount(words, minlength=size) + 1) / (len(words) + size)
    with torch.no_grad():
        said = made.model.head(torch.zeros(1, made.config.body.width))  # type: ignore[operator]
    np.testing.assert_allclose(said[0].softmax(-1).numpy(), shares, rtol=1e-5)


def test_a_language_model_that_goes_on_keeps_what_it_knew(here: Path) -> None:
    sizes = 'preset = "awd-lstm"\nnum_layers = 2\nwidth = 8\nhidden_width = 12'
    recipe = here / "language.toml"
    recipe.write_text(recipe.read_text().replace(sizes, 'from = "language/model"'))
    learned = read_model(here / "language" / "model").model.head.output.bias  # type: ignore[union-attr]
    assert torch.equal(prepare(here, recipe="language").model.head.output.bias, learned)  # type: ignore[union-attr,arg-type]


def test_rates_and_thawing_go_by_layer(here: Path) -> None:
    model = prepare(here).model
    depths = levels(name for name, _ in model.named_parameters())
    assert depths["head.linear.weight"] == 0
    assert depths["body.recurrent.layers.1.weight_ih_l0"] == 1
    assert depths["body.recurrent.layers.0.weight_hh_l0"] == 2
    assert depths["body.embedding.words.weight"] == 3
    rates = sorted(
        {rate for peaks in Optimizer(model, Recipe(rate=1.0, layer_decay=0.5)).peaks for rate in peaks}
    )
    assert rates == [0.25, 0.5, 1.0]
    thawing = Unfreezing(model)
    thawing.begin(1)
    free = {name for name, p in model.named_parameters() if p.requires_grad}
    assert all(name.startswith(("head.", "body.recurrent.layers.1.")) for name in free)


def test_only_dropout_may_change_with_the_weights_of_another(here: Path) -> None:
    with pytest.raises(ConfigError, match="width"):
        prepare(here, "model.width=16")


@pytest.mark.parametrize(("wanted", "counts"), [(10, [5, 5]), (30, [20, 10]), (500, [40, 10])])
def test_few_examples_are_drawn_evenly_from_all_labels(wanted: int, counts: list[int]) -> None:
    targets = np.array([0] * 40 + [1] * 10)
    examples = Examples([str(i) for i in range(50)], None, targets)
    drawn = ClassificationSettings(examples=wanted)._some(examples, seed=1)
    assert np.bincount(drawn.targets).tolist() == counts
    assert len(set(drawn.texts)) == len(drawn)
    again = ClassificationSettings(examples=wanted)._some(examples, seed=1)
    assert list(drawn.texts) == list(again.texts)
    with pytest.raises(ConfigError, match="at least 1"):
        ClassificationSettings(examples=0)._some(examples, seed=1)
