"""A processor without AVX-512, VNNI and bf16 products learns and says the same, within what rounding makes of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch

# What this prints: losses of some steps, and the logits after them.
PROGRAM = """
import json, sys
import numpy as np, torch
from gradatim.models.backbone import Backbone
from gradatim.models.classifier import Classifier
from gradatim.models.inputs import PackedTexts
from gradatim.models.presets import Sizes, bert
from gradatim.models.session import TorchSession
from gradatim.objectives.classification import Classification
from gradatim.train.loop import train
from gradatim.train.recipe import Recipe
from gradatim.types import Encoded

torch.manual_seed(0)
torch.set_num_threads(1)
rng = np.random.default_rng(0)
lengths = rng.integers(2, 40, 64)
arrays = {"ids": rng.integers(0, 500, lengths.sum()), "lengths": lengths}
texts = PackedTexts(Encoded(arrays, np.arange(64), 64))
sizes = Sizes(vocab_size=500, num_layers=2, width=64, num_heads=4, ffn_width=128, max_length=40, dropout=0.0)
model = Classifier(Backbone(bert(sizes, activation_dropout=0.0)), 64, 3, dropout=0.0)
recipe = Recipe(epochs=2, batch_size=16, rate=1e-3, precision=sys.argv[1])
trained = train(model, Classification(texts, rng.integers(0, 3, 64)), recipe)
logits = TorchSession(model, bf16=sys.argv[1] == "bf16").run(arrays)["logits"]
print(json.dumps({"loss": trained.loss, "logits": logits.tolist(), "isa": torch.backends.cpu.get_cpu_capability()}))
"""
LESS = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}


def result(precision: str, **features: str) -> dict[str, Any]:
    command = [sys.executable, "-c", PROGRAM, precision]
    environment = {**os.environ, **features}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.skipif(
    not torch.backends.cpu.get_cpu_capability().startswith("AVX"), reason="there is no AVX to leave out"
)
@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-3), ("bf16", 5e-2)])
def test_without_the_newer_instructions_the_same_is_learned(precision: str, tolerance: float) -> None:
    here, there = result(precision), result(precision, **LESS)
    assert there["isa"] == "AVX2"
    assert there["loss"] == pytest.approx(here["loss"], rel=tolerance)
    np.testing.assert_allclose(there["logits"], here["logits"], atol=tolerance)
