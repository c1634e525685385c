"""The rungs that read the layers of an ELMo: from its folder to a measured file, for labels and for tags."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from gradatim.checkpoint.config import ModelConfig
from gradatim.checkpoint.folder import load_body, load_elmo, save_model
from gradatim.errors import CheckpointError
from gradatim.ladder.goals import goal_of
from gradatim.ladder.rung import Problem, Settings
from gradatim.ladder.rungs.elmo import ElmoRung
from gradatim.ladder.tagging.elmo import TagElmoRung
from gradatim.models.elmo import ElmoConfig
from gradatim.models.presets import recurrent
from gradatim.tasks.open import load
from gradatim.text.tokenizer import PRESETS, train_tokenizer
from gradatim.types import Corpus, Examples, Task

pytest.importorskip("sklearn")
WORDS = ["the", "film", "very"]


@pytest.fixture(autouse=True)
def faster(monkeypatch: pytest.MonkeyPatch) -> None:
    """At a rate for networks of no size."""
    usual = ElmoRung.recipe
    monkeypatch.setattr(ElmoRung, "recipe", lambda *told: replace(usual(*told), rate=1e-2))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("elmo")
    body = ElmoConfig(vocab_size=20, width=16, filters=((1, 8), (3, 16)))
    config = ModelConfig(kind="both_ways", body=body)
    save_model(config.build(), folder, config=config)
    words = train_tokenizer(["the very good bad film in Rome ."] * 3, PRESETS["elmo"], size=20)
    (folder / "tokenizer.json").write_text(words.to_str())
    return folder


def problem(corpus: Corpus, folder: Path, tmp_path: Path) -> Problem:
    settings = Settings(language_model=str(folder), precision="fp32", epochs=4)
    goal = goal_of(corpus.task)
    return Problem(corpus, goal, tmp_path, tmp_path / "shared", "accuracy", settings=settings)


def test_its_layers_tell_labels(folder: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    texts = [f"{rng.choice(WORDS)} {['bad', 'good'][i % 2]} film" for i in range(480)]
    examples = Examples(texts, None, np.arange(480) % 2)
    given = problem(Corpus("tiny", Task(("bad", "good")), examples, examples, None), folder, tmp_path)
    assert ElmoRung().cost_s(given) > 0
    [made] = ElmoRung().fit(given)
    model = load(made.artifact, threads=1)
    assert np.mean([model(text).label == ["bad", "good"][i % 2] for i, text in enumerate(texts[:40])]) > 0.9


def test_its_layers_tell_tags(folder: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    places = ["Rome", "Oslo", "Lima"]
    texts = [f"{rng.choice(WORDS)} in {rng.choice(places)} ." for _ in range(240)]
    tags = np.array(["O O B-LOC O"] * len(texts), dtype=object)
    examples = Examples(texts, None, tags)
    given = problem(
        Corpus("tiny", Task(("O", "B-LOC"), kind="tagging"), examples, examples, None), folder, tmp_path
    )
    assert TagElmoRung().cost_s(given) > 0
    [made] = TagElmoRung().fit(given)
    found = load(made.artifact, threads=1)("very in Oslo .")
    assert [(entity.label, entity.text) for entity in found] == [("LOC", "Oslo")]


def test_other_language_models_are_told_apart(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no body that could be fine-tuned"):
        load_body(folder)
    body = recurrent("lstm", vocab_size=20, width=8, hidden_width=8)
    config = ModelConfig(kind="causal", body=body)
    save_model(config.build(), tmp_path, config=config)
    with pytest.raises(CheckpointError, match="both directions"):
        load_elmo(tmp_path)
