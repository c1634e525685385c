"""Model folders: what is read, what is refused, and that nothing is left half written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from gradatim.checkpoint.folder import load_bert, save_bert, tokenizer_json
from gradatim.errors import CheckpointError
from gradatim.models.backbone import Backbone
from gradatim.models.presets import Sizes, bert

CONFIG = bert(Sizes(vocab_size=31, num_layers=2, width=14, num_heads=2, ffn_width=17, max_length=11))


@pytest.fixture
def model() -> Backbone:
    torch.manual_seed(0)
    return Backbone(CONFIG)


@pytest.fixture
def folder(model: Backbone, tmp_path: Path) -> Path:
    save_bert(model, tmp_path / "model")
    return tmp_path / "model"


def rewrite(folder: Path, change: Callable[[dict[str, Tensor]], dict[str, Tensor]]) -> None:
    save_file(change(load_file(folder / "model.safetensors")), folder / "model.safetensors")


def same(a: Backbone, b: Backbone) -> bool:
    ours, theirs = a.state_dict(), b.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_saved_and_loaded_is_the_same_model_in_evaluation_mode(model: Backbone, folder: Path) -> None:
    loaded = load_bert(folder)
    assert same(loaded, model)
    assert loaded.config == CONFIG
    assert not loaded.training
    assert sorted(p.name for p in folder.iterdir()) == ["config.json", "model.safetensors"]


def test_prefix_and_old_norm_names_and_heads_are_read(model: Backbone, folder: Path) -> None:
    def old(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        def rename(name: str) -> str:
            name = name.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
                "LayerNorm.bias", "LayerNorm.beta"
            )
            return f"bert.{name}"

        heads = {"cls.predictions.bias": torch.ones(31), "bert.pooler.dense.weight": torch.ones(14, 14)}
        return {**{rename(name): t for name, t in tensors.items()}, **heads}

    rewrite(folder, old)
    assert "bert.embeddings.LayerNorm.gamma" in load_file(folder / "model.safetensors")
    assert same(load_bert(folder), model)


def test_a_sharded_folder_is_read(model: Backbone, folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = sorted(tensors)
    shards = {"model-00001-of-00002.safetensors": names[::2], "model-00002-of-00002.safetensors": names[1::2]}
    for file, part in shards.items():
        save_file({name: tensors[name] for name in part}, folder / file)
    weight_map = {name: file for file, part in shards.items() for name in part}
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": weight_map}), encoding="utf-8")
    assert same(load_bert(folder), model)
    (folder / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(CheckpointError, match="model-00002-of-00002"):
        load_bert(folder)


def test_half_precision_weights_are_widened(model: Backbone, folder: Path) -> None:
    rewrite(folder, lambda tensors: {name: t.half() for name, t in tensors.items()})
    loaded = load_bert(folder)
    wanted = model.embedding.words.weight.half().float()
    assert torch.equal(loaded.embedding.words.weight, wanted)


def test_every_fault_of_a_checkpoint_is_named(folder: Path) -> None:
    def spoil(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        del tensors["encoder.layer.1.attention.self.key.weight"]
        tensors["embeddings.word_embeddings.weight"] = torch.ones(30, 14)
        tensors["encoder.layer.2.output.dense.bias"] = torch.ones(14)
        return tensors

    rewrite(folder, spoil)
    with pytest.raises(CheckpointError) as caught:
        load_bert(folder)
    for fault in (
        "missing encoder.layer.1.attention.self.key.weight",
        "surplus encoder.layer.2.output.dense.bias",
        "misshapen embedding.words.weight",
    ):
        assert fault in str(caught.value)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "weights.pt"])
def test_a_pickle_is_refused_with_advice(folder: Path, name: str) -> None:
    (folder / "model.safetensors").unlink()
    (folder / name).write_bytes(b"\x80\x04.")
    with pytest.raises(CheckpointError, match=rf"{name}.*pickle.*safetensors"):
        load_bert(folder)


def test_broken_files_are_named(folder: Path, tmp_path: Path) -> None:
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match=r"model\.safetensors is not a valid"):
        load_bert(folder)
    (folder / "config.json").write_text('{\n"model_type": bert}', encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"config\.json, line 2"):
        load_bert(folder)
    with pytest.raises(CheckpointError, match=r"config\.json does not exist"):
        load_bert(tmp_path / "nowhere")


def test_an_interrupted_save_leaves_the_old_model(
    model: Backbone, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def full(handle: int) -> None:
        calls.append(handle)
        if len(calls) == 2:  # config.json is small and fits; the weights do not
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("gradatim.engine.atomic.os.fsync", full)
    torch.manual_seed(1)
    with pytest.raises(OSError, match="No space"):
        save_bert(Backbone(CONFIG), folder)
    assert same(load_bert(folder), model)
    assert not list(folder.glob(".*"))


def test_the_tokenizer_is_read_from_json_or_built_from_a_vocabulary(folder: Path) -> None:
    from tokenizers import Tokenizer

    with pytest.raises(CheckpointError, match=r"tokenizer\.json nor vocab\.txt"):
        tokenizer_json(folder)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "film", "##s", "Good"]
    (folder / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    lower = Tokenizer.from_str(tokenizer_json(folder))
    assert lower.encode("Good films").tokens == ["[CLS]", "good", "film", "##s", "[SEP]"]
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": false}', encoding="utf-8")
    cased = Tokenizer.from_str(tokenizer_json(folder))
    assert cased.encode("Good films").tokens[1] == "Good"
    (folder / "tokenizer.json").write_text(lower.to_str(), encoding="utf-8")
    assert tokenizer_json(folder) == lower.to_str()
