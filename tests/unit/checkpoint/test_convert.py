"""`gradatim convert`: folders there and back on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from gradatim.checkpoint.config import ModelConfig
from gradatim.checkpoint.folder import read_model, save_model
from gradatim.cli import app
from gradatim.models.backbone import Backbone
from gradatim.models.classifier import Classifier
from gradatim.models.presets import Sizes, bert, transformer

# Other people's deprecations, raised while the reference is imported.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]
SIZES = Sizes(vocab_size=31, num_layers=2, width=14, num_heads=2, ffn_width=17, max_length=11)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    model = Classifier(Backbone(bert(SIZES)), 14, 3, pooling=("first",), inner="tanh")
    config = ModelConfig.of(model, labels=("bad", "so so", "good"))
    save_model(model, tmp_path / "hf", family="bert", config=config)
    (tmp_path / "hf" / "vocab.txt").write_text("[PAD]\n[UNK]", encoding="utf-8")
    return tmp_path / "hf"


def convert(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["convert", *map(str, arguments)])
    return result.exit_code, result.output


def test_there_and_back_keeps_every_tensor_and_the_labels(folder: Path, tmp_path: Path) -> None:
    code, said = convert(folder, tmp_path / "own")
    assert code == 0, said
    assert float(said.split("transformers:")[1].split()[0]) < 1e-5
    code, said = convert(tmp_path / "own", tmp_path / "back", "--to", "hf", "--max-shard-mb", 0.002)
    assert code == 0, said
    assert "bert, classification" in said
    assert float(said.split("transformers:")[1].split()[0]) < 1e-5
    start, shards = (
        load_file(folder / "model.safetensors"),
        sorted((tmp_path / "back").glob("model-*.safetensors")),
    )
    back = {name: tensor for shard in shards for name, tensor in load_file(shard).items()}
    assert len(shards) > 1
    assert start.keys() == back.keys()
    assert all(torch.equal(start[name], back[name]) for name in start)
    fields = [json.loads((place / "config.json").read_text()) for place in (folder, tmp_path / "back")]
    assert fields[0] == fields[1]
    assert (tmp_path / "back" / "vocab.txt").is_file()


def test_what_has_no_place_is_named(folder: Path, tmp_path: Path) -> None:
    save_model(read_model(folder).model.body, tmp_path / "bare", family="bert")
    from safetensors.torch import save_file

    weights = tmp_path / "bare" / "model.safetensors"
    save_file({**load_file(weights), "pooler.dense.bias": torch.ones(14)}, weights)
    config = tmp_path / "bare" / "config.json"
    config.write_text(config.read_text().replace("BertModel", "BertForMaskedLM"))  # as encoders are published
    code, said = convert(tmp_path / "bare", tmp_path / "own")
    assert code == 0
    assert float(said.split("transformers:")[1].split()[0]) < 1e-5
    assert "left out" in said
    assert "pooler.dense.bias" in said


@pytest.mark.parametrize("wrong", ["same", "layout", "file", "family", "already"])
def test_what_cannot_be_converted_is_refused_and_nothing_is_written(
    folder: Path, tmp_path: Path, wrong: str
) -> None:
    out, before = tmp_path / "out", sorted(tmp_path.rglob("*"))
    arguments: dict[str, tuple[object, ...]] = {
        "same": (folder, folder),
        "layout": (folder, out, "--to", "onnx"),
        "file": (folder / "config.json", out),
        "family": (tmp_path / "strange", out, "--to", "hf"),
        "already": (tmp_path / "strange", out),
    }
    if wrong in ("family", "already"):
        save_model(Backbone(transformer(SIZES)), tmp_path / "strange")
        before = sorted(tmp_path.rglob("*"))
    code, _ = convert(*arguments[wrong])
    assert code == 2
    assert sorted(tmp_path.rglob("*")) == before


def test_keys_that_nothing_was_made_of_are_said(folder: Path, tmp_path: Path) -> None:
    fields = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**fields, "alibi": True, "use_cache": True}))
    code, said = convert(folder, tmp_path / "own")
    assert code == 0, said
    assert "alibi" in said
    assert "use_cache" not in said
