"""How far a converted model is from the reference implementation, where that is installed."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gradatim.checkpoint.config import ROWS, TOKENS
from gradatim.checkpoint.folder import Checkpoint, find_family
from gradatim.checkpoint.tensors import read_json
from gradatim.models.inputs import Inputs
from gradatim.nn.packed import Layout

LENGTHS = (12, 5, 1, 9)


def largest_difference(checkpoint: Checkpoint, folder: Path) -> float | None:
    """The largest absolute difference between our outputs and the reference's on rows of random tokens; of a model of
    tables, whose choices need one, between the states that they are made of.

    `folder` is the checkpoint in the Hugging Face layout. Ours reads the rows packed in one batch, the
    reference one by one. None where transformers is not installed.
    """
    if importlib.util.find_spec("transformers") is None:
        return None
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    config = checkpoint.config
    family = find_family(read_json(folder / "config.json")["model_type"])
    # The class of what was read: config.json may name one whose head is not in the file.
    architecture = getattr(transformers, family.architecture(config.kind))
    reference = architecture.from_pretrained(folder, dtype=torch.float32).eval()
    draw = torch.Generator().manual_seed(0)
    vocabularies = [body.vocab_size for body in (config.body, config.decoder) if body]
    usual = [i for i in range(min(vocabularies)) if i not in config.special.values()]
    lengths = [min(length, config.transformer.max_length) for length in LENGTHS]
    rows = [torch.tensor(usual)[torch.randint(len(usual), (length,), generator=draw)] for length in lengths]
    with torch.inference_mode():
        mine = _ours(checkpoint, torch.cat(rows), lengths)
        theirs = torch.cat([_theirs(reference, row, config.kind) for row in rows])
    return float((mine - theirs).abs().max())


def _ours(checkpoint: Checkpoint, ids: Tensor, lengths: list[int]) -> Tensor:
    kind, layout = checkpoint.config.kind, Layout.of(lengths)
    inputs: tuple[Any, ...] = (ids, layout, ids, layout) if kind == "seq2seq" else (ids, layout)
    if kind == "table":
        return checkpoint.model.body(*inputs)  # type: ignore[no-any-return, operator]
    if kind in (*ROWS, *TOKENS):
        inputs = (Inputs.of({"ids": ids.numpy(), "lengths": layout.lengths.numpy()}),)
    return checkpoint.model(*inputs)  # type: ignore[no-any-return]


def _theirs(reference: Any, row: Tensor, kind: str) -> Tensor:
    """(tokens or 1, outputs) of one row."""
    ids = row[None, None] if kind == "choice" else row[None]
    if kind == "table":
        states: Tensor = reference.base_model(ids).last_hidden_state[0]
        return states
    out = reference(ids, **({"decoder_input_ids": ids} if kind == "seq2seq" else {}))
    if kind == "span":
        return torch.stack([out.start_logits[0], out.end_logits[0]], -1)
    logits = {"body": "last_hidden_state", "pretraining": "prediction_logits"}.get(kind, "logits")
    answer: Tensor = out[logits]
    return answer if kind in ROWS else answer[0]
