"""What a fresh model takes over from the one that a recipe starts `from`."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from gradatim.checkpoint.config import ModelConfig
from gradatim.checkpoint.folder import Checkpoint, load_backbone
from gradatim.errors import ConfigError
from gradatim.models.language import Seq2Seq, start_from
from gradatim.nn.embedding import silence_marks

# Kinds of models whose head over the vocabulary is worth keeping.
SCORES_WORDS = ("masked", "pretraining", "causal", "seq2seq", "vector_to_text")


def begin_with(model: nn.Module, config: ModelConfig, start: Checkpoint, folder: Path) -> None:
    """Give a model the body of another, and its head over the vocabulary where both have one of that shape.

    A model that writes takes both its sides from an encoder; one that reads takes the encoder of one that writes.
    Raises ConfigError if there is nothing to take over.
    """
    if isinstance(model, Seq2Seq) and start.config.kind != "seq2seq":
        start_from(model, load_backbone(folder))
        return
    stored = {_place(name, start.config, config): tensor for name, tensor in start.model.state_dict().items()}
    own = {
        name: stored[name]
        for name, tensor in model.state_dict().items()
        if (config.kind in SCORES_WORDS or name.startswith("body."))
        and name in stored
        and stored[name].shape == tensor.shape
    }
    if not any(name.startswith(("body.", "encoder.")) for name in own):
        raise ConfigError(f"[model] from: a {start.config.kind} model has no body for {config.kind}")
    model.load_state_dict(own, strict=False)
    silence_marks(model, besides=own)


def _place(name: str, start: ModelConfig, config: ModelConfig) -> str:
    """Where a tensor of one model belongs in another."""
    if start.kind == "body":
        name = f"body.{name}"
    if config.kind != "seq2seq" and name.startswith("encoder."):
        name = name.replace("encoder.", "body.", 1)  # the decoder has no part in what reads only
    if config.layers is not None and name.startswith("body."):
        name = f"body.{name}"  # a frozen body stands inside what reads it
    return name
