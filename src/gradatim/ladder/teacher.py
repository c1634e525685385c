"""The fine-tuned encoder on disk, so that students find it, also in a resumed climb."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file, save

from gradatim.checkpoint.config import ModelConfig
from gradatim.checkpoint.folder import family_of, load_backbone, save_model
from gradatim.engine.atomic import atomic_file
from gradatim.models.backbone import Backbone
from gradatim.models.classifier import Classifier
from gradatim.nn.pooling import Pooling


def save_teacher(model: Classifier, tokenizer_json: str, folder: Path) -> None:
    """Write encoder and tokenizer as a Hugging Face folder, which anyone can open, and the head beside them."""
    assert isinstance(model.body, Backbone)
    save_model(model.body, folder, family=family_of(ModelConfig.of(model.body)))
    with atomic_file(folder / "tokenizer.json") as handle:
        handle.write(tokenizer_json.encode())
    head = {name: tensor.contiguous() for name, tensor in model.head.state_dict().items()}
    with atomic_file(folder / "head.safetensors") as handle:
        handle.write(save(head, {"pooling": model.pooling[0]}))


def load_teacher(folder: Path) -> Classifier | None:
    """The saved teacher, or None where there is none."""
    path = folder / "head.safetensors"
    if not path.is_file():
        return None
    from safetensors import safe_open

    with safe_open(path, "pt") as stored:
        pooling: Pooling = stored.metadata()["pooling"]
    head = load_file(path)
    with torch.random.fork_rng(devices=[]):  # what is read from disk should draw no random numbers
        body = load_backbone(folder)
        model = Classifier(body, body.config.width, len(head["linear.bias"]), pooling=(pooling,))
    with torch.no_grad():
        model.head.load_state_dict(head)
    return model.eval()
