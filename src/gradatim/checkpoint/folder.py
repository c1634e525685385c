"""Reading and writing a Hugging Face model folder: config.json, model.safetensors, tokenizer.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from gradatim.checkpoint import bert
from gradatim.checkpoint.rules import to_ours, to_theirs
from gradatim.engine.atomic import atomic_file
from gradatim.errors import CheckpointError
from gradatim.models.backbone import Backbone

PREFIX = "bert."  # what a checkpoint of a headed model puts before the encoder's names


def load_bert(folder: Path) -> Backbone:
    """Build a BERT from a folder and fill it; raises CheckpointError naming every fault."""
    config = bert.read_config(_read_json(folder / "config.json"))
    tensors = _read_tensors(folder)
    if any(name.startswith(PREFIX) for name in tensors):
        tensors = {name.removeprefix(PREFIX): tensor for name, tensor in tensors.items()}
    tensors = {_modern(name): tensor for name, tensor in tensors.items()}
    model = Backbone(config)
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    model.load_state_dict(to_ours(tensors, bert.rules(config), shapes))
    return model.eval()


def save_bert(model: Backbone, folder: Path) -> None:
    """Write config.json and model.safetensors so that `from_pretrained` opens them."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = to_theirs(model.state_dict(), bert.rules(model.config))
    with atomic_file(folder / "config.json") as handle:
        handle.write(json.dumps(bert.write_config(model.config), indent=2).encode())
    with atomic_file(folder / "model.safetensors") as handle:
        handle.write(save({name: t.contiguous() for name, t in tensors.items()}, {"format": "pt"}))


def tokenizer_json(folder: Path) -> str:
    """The tokenizer of a model folder as `tokenizers` JSON text."""
    path = folder / "tokenizer.json"
    if path.is_file():
        return path.read_text(encoding="utf-8")
    vocabulary = folder / "vocab.txt"
    if not vocabulary.is_file():
        raise CheckpointError(f"{folder} has neither tokenizer.json nor vocab.txt; add one of them")
    from tokenizers import BertWordPieceTokenizer

    settings = folder / "tokenizer_config.json"
    lowercase = bool(_read_json(settings).get("do_lower_case", True)) if settings.is_file() else True
    return str(BertWordPieceTokenizer(str(vocabulary), lowercase=lowercase).to_str())


def _read_tensors(folder: Path) -> dict[str, Tensor]:
    index = folder / "model.safetensors.index.json"
    names = (
        sorted(set(_read_json(index)["weight_map"].values())) if index.is_file() else ["model.safetensors"]
    )
    tensors: dict[str, Tensor] = {}
    for name in names:
        path = folder / name
        if not path.is_file():
            pickles = [p.name for p in folder.glob("*.bin")] + [p.name for p in folder.glob("*.pt")]
            hint = (
                f"; {', '.join(pickles)} is a pickle, which is never loaded: convert it to safetensors first"
                if pickles
                else ""
            )
            raise CheckpointError(f"{path} does not exist{hint}")
        try:
            tensors.update(load_file(path))
        except SafetensorError as error:
            raise CheckpointError(f"{path} is not a valid safetensors file: {error}") from error
    return tensors


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise CheckpointError(
            f"{path} does not exist; a model folder holds config.json and model.safetensors"
        )
    try:
        fields: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise CheckpointError(f"{path}, line {error.lineno}: {error.msg}") from error
    return fields


def _modern(name: str) -> str:
    """The first released checkpoints called a norm's weight gamma and its bias beta."""
    return name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")
