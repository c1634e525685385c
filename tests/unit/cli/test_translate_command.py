"""`gradatim translate`, `convert` to one file and `evaluate` on two: a model that was trained in the test."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from gradatim.cli import app
from gradatim.engine.lead import LeadStepper
from gradatim.pipelines.text_to_text import TextToText
from gradatim.text.pieces import PieceEncoder
from gradatim.text.tokenizer import preset, train_tokenizer
from gradatim.train.job import run
from gradatim.train.recipe_file import read_recipe

RECIPE = """
[model]
preset = "marian"
num_layers = 1
width = 32
num_heads = 2
ffn_width = 64
max_length = 24
dropout = 0.0
[data]
source = "{folder}/train.{{en,xx}}"
tokenizer = "{folder}/tokenizer.json"
dev_share = 0.1
max_length = 24
[objective]
kind = "seq2seq"
beams = 2
clean = false
bias = true
[train]
epochs = 40
batch_size = 32
rate = 5e-3
precision = "fp32"
"""
FOREIGN = {"red": "rouge", "blue": "bleu", "cat": "chat", "dog": "chien", "old": "vieux", "fish": "poisson"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that has learned the words of a sentence in another language and the other order."""
    folder = tmp_path_factory.mktemp("translation")
    rng = np.random.default_rng(0)
    rows = [rng.choice(list(FOREIGN), rng.integers(1, 5)).tolist() for _ in range(300)]
    for name, lines in {
        "en": rows,
        "xx": [[FOREIGN[word] for word in reversed(row)] for row in rows],
    }.items():
        (folder / f"train.{name}").write_text("".join(" ".join(line) + "\n" for line in lines))
    words = [" ".join([*FOREIGN, *FOREIGN.values()])] * 3
    train_tokenizer(words, preset("word"), 50).save(str(folder / "tokenizer.json"))
    (folder / "recipe.toml").write_text(RECIPE.format(folder=folder))
    run(read_recipe(folder / "recipe.toml"), folder / "run")
    return folder


def command(*words: object, input: str | None = None) -> str:
    result = CliRunner().invoke(app, [*map(str, words)], input=input)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_file_without_torch_translates_like_the_folder(folder: Path) -> None:
    file = folder / "model.gradatim"
    said = command("convert", folder / "run" / "model", file, "--to", "gradatim")
    assert "weights" in said
    sources = (folder / "train.en").read_text().splitlines()[:200]
    (folder / "some.en").write_text("\n".join(sources) + "\n")
    outputs = [
        command("translate", model, "--input", folder / "some.en", "--beams", 3)
        for model in (file, folder / "run" / "model")
    ]
    assert outputs[0] == outputs[1]
    assert command("translate", file, "red cat").strip() == "chat rouge"
    assert command("translate", file, input="old dog\n\nfish\n").split("\n") == [
        "chien vieux",
        "",
        "poisson",
        "",
    ]


def test_texts_go_to_a_file_and_several_come_with_their_scores(folder: Path) -> None:
    model = folder / "run" / "model"
    command("translate", model, "red cat", "old fish", "--output", folder / "out.txt")
    assert (folder / "out.txt").read_text() == "chat rouge\npoisson vieux\n"
    found = json.loads(command("translate", model, "red cat", "--best", 3, "--json"))
    assert found["source"] == "red cat"
    scores = [output["score"] for output in found["outputs"]]
    assert found["outputs"][0]["text"] == "chat rouge"
    assert len(scores) == 3
    assert scores == sorted(scores, reverse=True)
    assert command("translate", model, "red cat", "--begin", "vieux").startswith("vieux")


def test_what_the_model_has_no_token_for_is_said(folder: Path) -> None:
    model = folder / "run" / "model"
    told = CliRunner().invoke(app, ["translate", str(model), "red cat", "red собака"])
    assert told.exit_code == 0
    assert len(told.stdout.splitlines()) == 2
    assert "text 2, 'собака'" in told.stderr
    told = CliRunner().invoke(app, ["translate", str(model), "--stream", "red cat", "red собака"])
    assert "text 2, 'собака'" in told.stderr
    found = json.loads(command("translate", model, "red собака", "--json"))
    assert found["unknown"] == ["собака"]
    assert "unknown" not in json.loads(command("translate", model, "red cat", "--json"))


def test_texts_are_printed_as_they_are_written(folder: Path) -> None:
    model = folder / "run" / "model"
    lines = "red cat\n\nold blue dog\n"
    assert command("translate", model, "--stream", input=lines) == command(
        "translate", model, "--beams", 1, input=lines
    )
    assert command("translate", model, "red cat", "old fish", "--stream") == "chat rouge\npoisson vieux\n"
    assert command("translate", model, "red cat", "--stream", "--begin", "vieux").startswith("vieux")


def test_eight_bits_say_nearly_the_same(folder: Path) -> None:
    file = folder / "small.gradatim"
    assert "int8" in command("convert", folder / "run" / "model", file, "--int8", folder / "train.en")
    exact, small = (
        json.loads(command("evaluate", model, folder / "train.en", folder / "train.xx", "--json"))
        for model in (folder / "run" / "model", file)
    )
    assert exact["bleu"] > 90
    assert small["bleu"] > exact["bleu"] - 5
    assert small["texts"] == 300
    assert exact["bleu_lower_tokenised"] > 90
    assert "tok:13a" in exact["signatures"]["bleu"]
    assert "bleu" in command("evaluate", file, folder / "train.en", folder / "train.xx", "--beams", 1)
    rouge = json.loads(
        command("evaluate", file, folder / "train.en", folder / "train.xx", "--json", "--measure", "rouge")
    )
    assert rouge["rougeL"] > 90


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_the_language_of_the_targets_is_in_their_name(
    folder: Path, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("en", "xx"):
        data = (folder / f"train.{name}").read_bytes()
        (folder / f"both.{name}{ending}").write_bytes(gzip.compress(data) if ending else data)
    asked: list[str | None] = []

    def measured(*_texts: object, language: str | None = None) -> dict[str, float]:
        asked.append(language)
        return {"bleu": 1.0}

    monkeypatch.setattr("gradatim.pipelines.overlap.overlap", measured)
    model = folder / "run" / "model"
    command("evaluate", model, folder / f"both.{{en,xx}}{ending}", "--split", "train", "--beams", 1)
    command("evaluate", model, folder / f"both.en{ending}", folder / f"both.xx{ending}", "--beams", 1)
    assert asked == ["xx", "xx"]


def test_what_is_written_is_judged_on_a_table_of_which_cells_may_have_lines(folder: Path) -> None:
    rows = [{"said": "red cat", "wanted": "chat rouge"}, {"said": "old\nfish", "wanted": "poisson vieux"}]
    (folder / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    columns = ("--text", "said", "--text-pair", "wanted", "--measure", "rouge", "--json")
    found = json.loads(command("evaluate", folder / "run" / "model", folder / "pairs.jsonl", *columns))
    assert found["texts"] == 2
    assert found["rouge1"] > 90


@pytest.mark.parametrize(("words", "said"), [
    (["translate", "MODEL", "red", "--input", "x"], "not both"),
    (["translate", "NONE.gradatim", "red"], "NONE.gradatim"),
    (["translate", "MODEL", "red", "--stream", "--beams", "2"], "2 beams"),
    (["translate", "MODEL", "red", "--stream", "--json"], "leave out"),
    (["evaluate", "MODEL", "EN", "SHORT"], "300 lines"),
    (["evaluate", "MODEL", "EN", "XX", "--measure", "blue"], "bleu"),
    (["translate", "ENCODER", "red"], "none that writes"),
    (["convert", "MODEL", "folder", "--int8", "EN"], ".gradatim"),
    (["convert", "MODEL", "one.gradatim", "--to", "hf"], "--to hf"),
    (["convert", "MODEL", "one.gradatim", "--max-shard-mb", "5"], "--max-shard-mb"),
])  # fmt: skip
def test_what_makes_no_sense_is_refused(folder: Path, words: list[str], said: str) -> None:
    (folder / "short.xx").write_text("rouge\n" * 7)
    encoder = folder / "encoder"
    if not encoder.is_dir():
        from gradatim.checkpoint.config import ModelConfig
        from gradatim.checkpoint.folder import save_model
        from gradatim.models.presets import Sizes, bert

        body = bert(Sizes(vocab_size=9, num_layers=1, width=4, num_heads=1, ffn_width=4))
        config = ModelConfig(kind="body", body=body)
        save_model(config.build(), encoder, config=config)
    places = {
        "MODEL": folder / "run" / "model", "EN": folder / "train.en", "XX": folder / "train.xx",
        "SHORT": folder / "short.xx", "ENCODER": encoder,
    }  # fmt: skip
    result = CliRunner().invoke(app, [str(places.get(word, word)) for word in words])
    assert result.exit_code != 0
    assert said in result.output


def test_a_sentence_of_5000_words_is_read_to_its_end(folder: Path) -> None:
    tokenizer = (folder / "tokenizer.json").read_text()
    pieces = PieceEncoder(tokenizer, max_length=24)
    known = pieces.tokenizer.get_vocab()
    copier = TextToText(LeadStepper(len(known), end=known["</s>"]), pieces, tokenizer, end=known["</s>"])
    words = np.random.default_rng(1).choice(list(FOREIGN), 5000).tolist()
    assert copier(" ".join(words)).split() == words
    assert len(command("translate", folder / "run" / "model", input=" ".join(words)).split()) > 5000 / 24


STRANGE = ["привет мир", "你好，世界", "🎉👩\u200d👧", "\u200b", "e\u0301\u0301", "\x00\x07 red", "ﷺ" * 200]


@pytest.mark.parametrize("text", STRANGE)
def test_unseen_scripts_are_answered(folder: Path, text: str) -> None:
    lines = command("translate", folder / "run" / "model", input=f"{text}\nred cat\n").splitlines()
    assert len(lines) == 2
    assert lines[1] == "chat rouge"


def test_copies_teach_nothing(tmp_path: Path, folder: Path) -> None:
    for name in ("en", "xx"):
        (tmp_path / f"train.{name}").write_text("red cat\nold dog\nblue fish\n" * 20)
    recipe = RECIPE.format(folder=folder).replace(f"{folder}/train", f"{tmp_path}/train")
    (tmp_path / "recipe.toml").write_text(recipe.replace("clean = false", "clean = true"))
    result = CliRunner().invoke(app, ["train", str(tmp_path / "recipe.toml"), "--out", str(tmp_path / "run")])
    assert result.exit_code != 0
    assert "both sides are the same" in result.output
