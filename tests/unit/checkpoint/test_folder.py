"""Model folders: what is read, what is refused, and that nothing is left half written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from gradatim.checkpoint.config import ModelConfig
from gradatim.checkpoint.folder import load_backbone, read_model, save_model, tokenizer_json
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
    save_model(model, tmp_path / "model", family="bert")
    return tmp_path / "model"


def rewrite(folder: Path, change: Callable[[dict[str, Tensor]], dict[str, Tensor]]) -> None:
    save_file(change(load_file(folder / "model.safetensors")), folder / "model.safetensors")


def same(a: Backbone, b: Backbone) -> bool:
    ours, theirs = a.state_dict(), b.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_saved_and_loaded_is_the_same_model_in_evaluation_mode(model: Backbone, folder: Path) -> None:
    loaded = load_backbone(folder)
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
    assert same(load_backbone(folder), model)


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
    assert same(load_backbone(folder), model)
    (folder / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(CheckpointError, match="model-00002-of-00002"):
        load_backbone(folder)


def test_half_precision_weights_are_widened(model: Backbone, folder: Path) -> None:
    rewrite(folder, lambda tensors: {name: t.half() for name, t in tensors.items()})
    loaded = load_backbone(folder)
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
        load_backbone(folder)
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
        load_backbone(folder)


def test_broken_files_are_named(folder: Path, tmp_path: Path) -> None:
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match=r"model\.safetensors is not a valid"):
        load_backbone(folder)
    (folder / "config.json").write_text('{\n"model_type": bert}', encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"config\.json, line 2"):
        load_backbone(folder)
    with pytest.raises(CheckpointError, match=r"config\.json does not exist"):
        load_backbone(tmp_path / "nowhere")


def bert_config(folder: Path, **changes: object) -> None:
    fields = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**fields, **changes}))


def test_a_body_stored_without_its_prefix_is_read_under_a_head(model: Backbone, folder: Path) -> None:
    """As the published GPT-2 is: a language model by its config.json, a bare body by its names."""
    heads = {"classifier.weight": torch.ones(3, 14), "classifier.bias": torch.zeros(3)}
    rewrite(folder, lambda tensors: {**tensors, **heads})
    bert_config(folder, architectures=["BertForTokenClassification"], id2label={"0": "O", "1": "B", "2": "I"})
    read = read_model(folder)
    assert same(read.model.body, model)
    assert torch.equal(read.model.head.linear.weight, heads["classifier.weight"])
    assert read.config.labels == ("O", "B", "I")


def test_a_checkpoint_without_its_head_is_its_body(model: Backbone, folder: Path) -> None:
    """As sentence encoders are published: config.json names the model that they were made from."""
    bert_config(folder, architectures=["BertForMaskedLM"])
    loaded = read_model(folder).model
    assert isinstance(loaded, Backbone)
    assert same(loaded, model)


def test_the_published_bert_is_read_as_the_model_it_names(folder: Path) -> None:
    language = ModelConfig(kind="pretraining", body=CONFIG).build()
    save_model(language, folder, family="bert")
    bert_config(folder, architectures=["BertForMaskedLM"])
    read = read_model(folder)
    assert read.config.kind == "masked"
    assert set(read.left_out) == {
        f"{layer}.{kind}"
        for layer in ("cls.seq_relationship", "bert.pooler.dense")
        for kind in ("weight", "bias")
    }


def test_half_of_a_head_is_refused(folder: Path) -> None:
    bert_config(folder, architectures=["BertForTokenClassification"])
    rewrite(folder, lambda tensors: {**tensors, "classifier.weight": torch.ones(2, 14)})
    with pytest.raises(CheckpointError, match=r"missing classifier\.bias"):
        read_model(folder)


def test_the_body_of_an_unknown_architecture_is_read_and_its_model_is_not(
    model: Backbone, folder: Path
) -> None:
    bert_config(folder, architectures=["BertForDreams"])
    rewrite(folder, lambda tensors: {f"bert.{n}": t for n, t in tensors.items()} | {"dream": torch.ones(1)})
    assert same(load_backbone(folder), model)
    with pytest.raises(CheckpointError, match=r"BertForDreams.*known: BertModel"):
        read_model(folder)


def test_shards_are_small_and_a_later_save_leaves_none_of_them(model: Backbone, folder: Path) -> None:
    save_model(model, folder, family="bert", max_shard_bytes=2000)
    parts = sorted(folder.glob("model-*.safetensors"))
    assert len(parts) > 3
    for part in parts:
        tensors = load_file(part)
        assert sum(t.nbytes for t in tensors.values()) <= 2000 or len(tensors) == 1
    assert not (folder / "model.safetensors").exists()
    assert same(load_backbone(folder), model)
    save_model(model, folder)
    assert sorted(p.name for p in folder.iterdir()) == ["config.json", "model.safetensors"]
    assert same(load_backbone(folder), model)


def test_tokenizer_files_come_along(model: Backbone, folder: Path, tmp_path: Path) -> None:
    for name in ("vocab.txt", "tokenizer_config.json", "notes.md"):
        (folder / name).write_text(name, encoding="utf-8")
    save_model(model, tmp_path / "copy", tokenizer=folder)
    names = {p.name for p in (tmp_path / "copy").iterdir()}
    assert names == {"config.json", "model.safetensors", "vocab.txt", "tokenizer_config.json"}


@pytest.mark.parametrize(
    "spoil",
    [
        {"gradatim": 99},
        {"kind": "dream"},
        {"surprise": 1},
        {"body": {"num_layers": 1}},
        {"inner": "tnah"},
        {"pooling": ["men"]},
        {"dropout": 1.5},
        {"body": {"filters": [[1]]}},
    ],
)
def test_an_own_folder_that_cannot_be_understood_is_refused(
    model: Backbone, tmp_path: Path, spoil: dict
) -> None:
    save_model(model, tmp_path)
    bert_config(tmp_path, **spoil)
    with pytest.raises(CheckpointError, match=r"config\.json"):
        read_model(tmp_path)


def test_an_interrupted_save_leaves_the_old_model(
    model: Backbone, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def full(handle: int) -> None:
        calls.append(handle)
        if len(calls) == 2:  # one file fits, the next one does not
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("gradatim.engine.atomic.os.fsync", full)
    torch.manual_seed(1)
    with pytest.raises(OSError, match="No space"):
        save_model(Backbone(CONFIG), folder, family="bert")
    assert same(load_backbone(folder), model)
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


@pytest.mark.parametrize(
    "index", [{}, {"weight_map": []}, {"weight_map": {}}, {"weight_map": {"a": "../other.safetensors"}}]
)
def test_an_index_that_names_no_files_of_its_folder_is_refused(folder: Path, index: object) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(CheckpointError, match=r"index\.json: weight_map"):
        read_model(folder)


def test_what_a_config_cannot_mean_is_told_with_its_file(folder: Path) -> None:
    fields = json.loads((folder / "config.json").read_text())
    for change in ({"num_attention_heads": 4}, {"architectures": "BertModel"}):
        (folder / "config.json").write_text(json.dumps({**fields, **change}))
        with pytest.raises(CheckpointError, match=r"config\.json.*(num_heads 4|'BertModel')"):
            read_model(folder)
