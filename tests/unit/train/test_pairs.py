"""A text from another, by recipe: what a tiny Transformer learns of a made-up language."""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from typer.testing import CliRunner

from gradatim.checkpoint.folder import read_model
from gradatim.cli import app
from gradatim.errors import ConfigError
from gradatim.text.tokenizer import preset, train_tokenizer
from gradatim.train.build import Materials
from gradatim.train.job import run
from gradatim.train.kinds.pairs import Seq2SeqSettings
from gradatim.train.recipe_file import read_recipe

TRANSFORMER = """
preset = "transformer"
num_layers = 1
decoder_layers = 2
width = 32
num_heads = 2
ffn_width = 64
norm_order = "pre"
dropout = 0.0
attention_dropout = 0.0
"""
GRU = """
preset = "gru"
width = 32
hidden_width = {hidden}
attention = "{attention}"
"""
CONV = """
preset = "conv"
width = 32
num_layers = 2
decoder_layers = 3
kernel = 3
max_length = 13
dropout = 0.05
"""
RECIPE = """
[model]
{model}
[data]
source = "{folder}/train.{{en,xx}}"
tokenizer = "{folder}/tokenizer.json"
dev_share = 0.1
max_length = 12
[objective]
kind = "seq2seq"
beams = 2
clean = false
smoothing = 0.0
[train]
epochs = {epochs}
batch_size = {batch_size}
rate = 5e-3
precision = "fp32"
"""
FOREIGN = {"red": "rouge", "blue": "bleu", "cat": "chat", "dog": "chien", "old": "vieux", "fish": "poisson"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The words of a sentence in the other language and the other order."""
    rng = np.random.default_rng(0)
    rows = [rng.choice(list(FOREIGN), rng.integers(1, 5)).tolist() for _ in range(600)] + [["red"] * 30]
    sides = {"en": rows, "xx": [[FOREIGN[word] for word in reversed(row)] for row in rows]}
    for name, lines in sides.items():
        (tmp_path / f"train.{name}").write_text("".join(" ".join(line) + "\n" for line in lines))
    words = [" ".join([*FOREIGN, *FOREIGN.values()])] * 3
    train_tokenizer(words, preset("word"), 50).save(str(tmp_path / "tokenizer.json"))
    return tmp_path


def recipe(folder: Path, model: str = TRANSFORMER, epochs: int = 40, batch_size: int = 32) -> Path:
    path = folder / "recipe.toml"
    path.write_text(RECIPE.format(folder=folder, model=model, epochs=epochs, batch_size=batch_size))
    return path


def test_a_language_is_learned_and_the_model_is_a_pair(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(read_recipe(recipe(folder)), folder / "run")
    metrics = json.loads((folder / "run" / "metrics.json").read_text())
    assert metrics["bleu"] > 90
    said = capsys.readouterr()
    assert "1 pair left out, a side is longer than 12 tokens" in said.err
    assert "(wanted: " in said.out
    made = read_model(folder / "run" / "model")
    assert made.config.kind == "seq2seq"
    assert made.config.decoder is not None
    assert (made.config.transformer.num_layers, made.config.decoder.num_layers) == (1, 2)
    assert made.config.special == {"pad": 1, "start": 1, "eos": 1}


@pytest.mark.parametrize(
    ("attention", "epochs", "least"), [("bahdanau", 15, 90), ("luong-general", 15, 90), ("none", 5, 15)]
)
def test_recurrent_pairs_learn_it_too(folder: Path, attention: str, epochs: int, least: float) -> None:
    file = recipe(folder, GRU.format(attention=attention, hidden=32), epochs, batch_size=8)
    run(read_recipe(file), folder / "run")
    assert json.loads((folder / "run" / "metrics.json").read_text())["chrf"] > least
    assert read_model(folder / "run" / "model").config.decoder is not None
    file = folder / "one.gradatim"
    converted = CliRunner().invoke(app, ["convert", str(folder / "run" / "model"), str(file)])
    assert converted.exit_code == 0, converted.output
    small = [str(folder / "small.gradatim"), "--int8", str(folder / "train.en")]
    converted = CliRunner().invoke(app, ["convert", str(folder / "run" / "model"), *small])
    assert "int8" in converted.output
    for model in (folder / "run" / "model", file, small[0]):
        said = CliRunner().invoke(app, ["translate", str(model), "red cat"])
        assert said.exit_code == 0, said.output
        assert said.output.strip() == "chat rouge" or attention == "none"


def test_pieces_may_be_drawn_anew(folder: Path) -> None:
    words = [" ".join([*FOREIGN, *FOREIGN.values()])] * 3
    train_tokenizer(words, preset("marian"), 40).save(str(folder / "tokenizer.json"))
    found = read_recipe(
        recipe(folder), ["objective.redrawn=0.3", "data.max_length=60", "model.max_length=60"]
    )
    objective = found.objective.prepare(Materials(found.model, found.data, found.train)).objective
    rows = np.arange(20)
    once, again = (objective.collate(rows, seed) for seed in (1, 2))
    assert once.targets["target"].tolist() != again.targets["target"].tolist()
    assert again.num_tokens == objective.collate(rows, 2).num_tokens


def test_convolutions_learn_it_too_and_stay_a_folder(folder: Path) -> None:
    run(read_recipe(recipe(folder, CONV, 8, batch_size=8)), folder / "run")
    metrics = json.loads((folder / "run" / "metrics.json").read_text())
    assert metrics["bleu"] > 90
    model = folder / "run" / "model"
    made = read_model(model).config
    assert (made.body.kernel, made.body.num_layers, made.decoder.num_layers) == (3, 2, 3)  # type: ignore[union-attr]
    for beams in ("1", "3"):
        said = CliRunner().invoke(app, ["translate", str(model), "red cat", "--beams", beams])
        assert said.output.strip() == "chat rouge"
    assert CliRunner().invoke(app, ["explain", str(model), "red cat"]).exit_code == 0
    for options, why in (
        (["one.gradatim"], "convolutional"),
        (["hf", "--to", "hf"], "this model is none"),
    ):
        refused = CliRunner().invoke(app, ["convert", str(model), str(folder / options[0]), *options[1:]])
        assert refused.exit_code != 0
        assert why in refused.output


@pytest.mark.parametrize(
    ("was", "now", "said"),
    [
        ("kernel = 3", "num_heads = 2", "has no num_heads; it has num_layers, width, kernel"),
        ("kernel = 3", "kernel = 0", "kernel must be at least 1"),
        ("width = 32", "", "give width"),
        ("max_length = 13", "max_length = 11", "more than the model's 11"),
    ],
)
def test_convolutions_that_cannot_be_are_refused(folder: Path, was: str, now: str, said: str) -> None:
    found = read_recipe(recipe(folder, CONV.replace(was, now)))
    with pytest.raises(ConfigError, match=said):
        Materials(found.model, found.data, found.train)


@pytest.mark.parametrize(("attention", "said"), [("luong-dot", "one width"), ("luong", "did you mean")])
def test_attention_that_cannot_be_is_refused(folder: Path, attention: str, said: str) -> None:
    found = read_recipe(recipe(folder, GRU.format(attention=attention, hidden=24)))
    with pytest.raises(ConfigError, match=said):
        found.objective.prepare(Materials(found.model, found.data, found.train))


def test_pairs_of_one_source_are_held_out_together(folder: Path) -> None:
    for name in ("en", "xx"):
        lines = (folder / f"train.{name}").read_text().splitlines()[:-1]
        (folder / f"train.{name}").write_text("".join(f"{line}\n" for line in lines for _ in range(3)))
    found = read_recipe(recipe(folder))
    settings = cast(Seq2SeqSettings, found.objective)
    splits, _ = settings._splits(Materials(found.model, found.data, found.train))
    assert not {*splits["train"].sources} & {*splits["dev"].sources}
    assert sum(len(part.sources) for part in splits.values()) == len(lines) * 3
    assert len(splits["dev"].sources) == pytest.approx(0.1 * 3 * len(lines), rel=0.1)


def test_what_is_measured_at_the_end_may_be_named(folder: Path) -> None:
    for name in ("en", "xx"):
        lines = (folder / f"train.{name}").read_text().splitlines()
        (folder / f"last.{name}").write_text("\n".join(lines[:3]) + "\n")
    changes = [f"data.test={folder}/last.{{en,xx}}", "objective.test=true"]
    found = read_recipe(recipe(folder), changes)
    made = found.objective.prepare(Materials(found.model, found.data, found.train))
    assert made.test is not None
    assert set(made.test()) >= {"bleu"}


def test_what_cannot_be_learned_is_refused(folder: Path) -> None:
    train_tokenizer(["red"], preset("elmo"), 50).save(str(folder / "endless.json"))
    endless = 'data.tokenizer="%s"' % (folder / "endless.json")
    for change, said in (
        ("objective.test=true", "no test split"),
        (endless, "end token"),
        ("data.max_length=1", "max_length"),
        ("objective.redrawn=0.3", "unigram"),
    ):
        found = read_recipe(recipe(folder), [change])
        with pytest.raises(ConfigError, match=said):
            found.objective.prepare(Materials(found.model, found.data, found.train))
