"""The rung that fine-tunes a recurrent language model: from its folder to a measured file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from gradatim.checkpoint.config import ModelConfig
from gradatim.checkpoint.folder import load_backbone, load_body, save_model
from gradatim.errors import CheckpointError
from gradatim.ladder.goals import goal_of
from gradatim.ladder.lab import Lab
from gradatim.ladder.rung import Problem, Settings
from gradatim.ladder.rungs.ulmfit import UlmfitRung
from gradatim.models.presets import recurrent
from gradatim.models.recurrent import RecurrentBackbone
from gradatim.tasks.open import load
from gradatim.train.recipe import Recipe
from gradatim.types import Corpus, Examples, Task

pytest.importorskip("sklearn")


@pytest.fixture
def folder(tmp_path: Path, tokenizer_json: str) -> Path:
    torch.manual_seed(0)
    body = recurrent("lstm", vocab_size=64, width=16, hidden_width=24, num_layers=2)
    config = ModelConfig(kind="causal", body=body, special={"eos": 3})
    save_model(config.build(), tmp_path / "lm", config=config)
    (tmp_path / "lm" / "tokenizer.json").write_text(tokenizer_json)
    return tmp_path / "lm"


class Faster(UlmfitRung):
    """At a rate for networks of no size."""

    def recipe(self, problem: Problem, lab: Lab, epochs: float) -> Recipe:
        return replace(super().recipe(problem, lab, epochs), rate=2e-2)


def test_a_language_model_climbs(folder: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    texts = [f"{rng.choice(['the', 'film', 'very'])} {['bad', 'good'][i % 2]} film" for i in range(960)]
    examples = Examples(texts, None, np.arange(960) % 2)
    corpus = Corpus("tiny", Task(("bad", "good")), examples, examples, None)
    settings = Settings(language_model=str(folder), precision="fp32")
    problem = Problem(
        corpus, goal_of(corpus.task), tmp_path, tmp_path / "shared", "accuracy", settings=settings
    )
    rung = Faster()
    assert rung.cost_s(problem) > 0
    [made] = rung.fit(problem)
    assert made.name == "ulmfit"
    model = load(made.artifact, threads=1)
    right = [model(text).label == ["bad", "good"][i % 2] for i, text in enumerate(texts[:40])]
    assert np.mean(right) > 0.9


def test_bodies_are_told_apart(folder: Path, tmp_path: Path) -> None:
    assert isinstance(load_body(folder), RecurrentBackbone)
    with pytest.raises(CheckpointError, match="a Transformer is needed"):
        load_backbone(folder)
