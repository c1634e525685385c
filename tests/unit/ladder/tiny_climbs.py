"""Whole climbs with an encoder small enough for a test."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

import gradatim
from gradatim.checkpoint.folder import save_model
from gradatim.ladder.rungs import int8
from gradatim.models.backbone import Backbone
from gradatim.models.presets import Sizes, bert
from gradatim.text.tokenizer import PRESETS, train_tokenizer


def climb(
    folder: Path, lines: Iterable[str], rungs: Sequence[str], *, vocabulary: int, longest: int, epochs: int
) -> Path:
    """Climb on the splits in `folder`, with pieces learned from `lines`; int8 is kept however slow it is here."""
    torch.manual_seed(0)
    sizes = Sizes(
        vocab_size=vocabulary, num_layers=4, width=32, num_heads=2, ffn_width=64, max_length=longest
    )
    save_model(Backbone(bert(sizes)), folder / "encoder", family="bert")
    tokenizer = train_tokenizer(lines, PRESETS["bert"], size=vocabulary)
    (folder / "encoder" / "tokenizer.json").write_text(tokenizer.to_str(), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gradatim.ladder.climb.gate", lambda *_: None)
        patch.setattr("gradatim.ladder.measure.COLD_STARTS", 1)
        patch.setattr(int8, "CALIBRATION", 16)
        gradatim.fit(
            folder, encoder=str(folder / "encoder"), rungs=list(rungs), threads=1, epochs=epochs, precision="fp32",
            out=folder / "model.gradatim", report=folder / "report.html", folder=folder / "climb",
        )  # fmt: skip
    return folder


def measured(climbed: Path) -> dict[str, Any]:
    """What was measured of every candidate, by its name."""
    done = [json.loads(path.read_text()) for path in climbed.glob("climb/*/done.json")]
    return {row["candidate"]["name"]: row["measurement"] for one in done for row in one["rows"]}
