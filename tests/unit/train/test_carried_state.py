"""A run along streams that stopped goes on with the state it had, bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from gradatim.checkpoint.config import ModelConfig
from gradatim.models.inputs import PackedTexts
from gradatim.models.presets import recurrent
from gradatim.models.recurrent import WindowConfig
from gradatim.objectives.streams import StreamedLanguage
from gradatim.train.loop import train
from gradatim.train.recipe import Recipe
from gradatim.types import Encoded

SIZES = {"vocab_size": 1100, "width": 8, "hidden_width": 8}
BODIES = {
    "awd-lstm": recurrent("awd-lstm", **SIZES),
    "gru": recurrent("gru", **SIZES),
    "window": WindowConfig(**SIZES, context=4, dropout=0.1),
}


def run(
    body: Any, folder: Path | None, *, stop: int = 10**9, resume: bool = False, **changes: Any
) -> tuple[list[Tensor], Any]:
    ids = np.random.default_rng(0).integers(0, 1100, 300)
    texts = PackedTexts(Encoded({"ids": ids, "lengths": np.array([100, 200])}, np.arange(2), 2))
    objective = StreamedLanguage(texts, 7, num_streams=5, end_id=1, shifted=True)
    torch.manual_seed(0)
    model = ModelConfig(kind="causal", body=body).build()
    fixed = {"epochs": 2.5, "batch_size": 5, "rate": 0.01, "precision": "fp32", "save_every": 3}

    def interrupt(_share: float) -> None:
        nonlocal stop
        stop -= 1
        if stop == 0:
            raise KeyboardInterrupt

    done = train(
        model, objective, Recipe(**{**fixed, **changes}), folder=folder, resume=resume, progress=interrupt
    )
    return [p.detach() for p in model.parameters()], done


@pytest.mark.parametrize("name", BODIES)
def test_a_resumed_run_is_as_one_that_never_stopped(tmp_path: Path, name: str) -> None:
    weights, done = run(BODIES[name], tmp_path / "whole")
    for stop in (8, 5):
        with pytest.raises(KeyboardInterrupt):
            run(BODIES[name], tmp_path / "parts", stop=stop, resume=True)
    resumed, again = run(BODIES[name], tmp_path / "parts", resume=True)
    assert all(torch.equal(a, b) for a, b in zip(weights, resumed, strict=True))
    assert (again.steps, again.loss) == (done.steps, done.loss)


def test_parts_of_a_step_are_the_step() -> None:
    whole, _ = run(BODIES["gru"], None)
    parts, _ = run(BODIES["gru"], None, accumulate=3)
    for one, other in zip(whole, parts, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)
