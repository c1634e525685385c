"""Models opened by name: our own folders, what a folder can do, and defaults that are never fetched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
import torch

import gradatim
from gradatim.checkpoint.config import ModelConfig
from gradatim.checkpoint.folder import save_model
from gradatim.errors import CheckpointError, ConfigError
from gradatim.models.presets import Sizes, bert, gpt2
from gradatim.text.tokenizer import PRESETS, train_tokenizer

TOKENIZER = train_tokenizer(["the cat sat on a mat in Rome ."] * 3, PRESETS["bert"], size=80)
SIZES = Sizes(vocab_size=80, num_layers=1, width=12, num_heads=2, ffn_width=16, max_length=20)
BODY = bert(SIZES)
TEXT = "The cat sat on a mat in Rome. " * 6


def folder(root: Path, kind: Any, **fields: Any) -> Path:
    """Our own folder of a tiny model."""
    torch.manual_seed(1)
    config = ModelConfig(kind=kind, body=BODY, **fields)
    save_model(config.build(), root / kind, config=config)
    (root / kind / "tokenizer.json").write_text(TOKENIZER.to_str(), encoding="utf-8")
    return root / kind


def test_our_folders_do_what_their_kind_can(tmp_path: Path) -> None:
    tags = folder(tmp_path, "tagging", num_outputs=3, labels=("O", "B-LOC", "I-LOC"))
    for one in gradatim.pipeline("ner", tags, aggregation_strategy="first", ignore_labels=[])(TEXT):
        assert TEXT[one["start"] : one["end"]].replace(" ", "") == one["word"].replace(" ", "")
    score = gradatim.pipeline("text-classification", folder(tmp_path, "classification", num_outputs=1))
    assert isinstance(score(TEXT)[0]["score"], float)
    assert score.reader.problem == "regression"
    ask = gradatim.pipeline("question-answering", folder(tmp_path, "span", num_outputs=2))
    answer = ask(question="Who sat?", context=TEXT)
    assert TEXT[answer["start"] : answer["end"]] == answer["answer"]
    choose = gradatim.pipeline("multiple-choice", folder(tmp_path, "choice", num_outputs=1))
    found = choose("The cat", ["sat.", "flew."])
    assert found["choice"] == ["sat.", "flew."][found["index"]]
    assert sum(found["scores"]) == pytest.approx(1)
    fill = gradatim.pipeline("fill-mask", folder(tmp_path, "masked"))
    assert len(fill(f"{TEXT} the [MASK] sat", top_k=3)) == 3
    go_on = gradatim.pipeline(model=tmp_path / "masked")
    assert type(go_on) is type(fill)


def test_any_folder_has_states_and_each_says_what_it_can(tmp_path: Path) -> None:
    tags = folder(tmp_path, "tagging", num_outputs=3)
    [states] = gradatim.pipeline("feature-extraction", tags)(TEXT)
    assert len(states) == len(TOKENIZER.encode(TEXT).ids)
    assert len(states[0]) == 12
    like = gradatim.pipeline("sentence-similarity", tags)
    assert like(TEXT, [TEXT, "a mat"])[0] == pytest.approx(1)
    with pytest.raises(
        ConfigError, match="can do: token-classification, feature-extraction, sentence-similarity"
    ):
        gradatim.pipeline("summarization", tags)
    (tags / "config.json").unlink()
    with pytest.raises(CheckpointError, match=r"no config\.json"):
        gradatim.pipeline("ner", tags)


@pytest.mark.parametrize("kind", ["body", "masked"])
def test_an_encoder_judges_labels_that_it_never_saw(tmp_path: Path, kind: str) -> None:
    sort = gradatim.pipeline("zero-shot-classification", folder(tmp_path, kind))
    found = sort(TEXT, candidate_labels=["mat", "Rome", TEXT])
    assert found["labels"][0] == TEXT
    assert sum(found["scores"]) == pytest.approx(1)


def test_a_default_is_never_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADATIM_CACHE", str(tmp_path))
    with pytest.raises(ConfigError, match="pass model='minilm-l6' to fetch its"):
        gradatim.pipeline("feature-extraction")
    with pytest.raises(ConfigError, match="no model of its own"):
        gradatim.pipeline("translation_en_to_de")
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("special", [{}, {"eos": 50256}])
def test_a_token_that_a_model_lacks_is_refused(tmp_path: Path, special: dict[str, int]) -> None:
    config = ModelConfig(kind="causal", body=gpt2(SIZES), special=special)
    save_model(config.build(), tmp_path, config=config)
    (tmp_path / "tokenizer.json").write_text(TOKENIZER.to_str(), encoding="utf-8")
    with pytest.raises(ConfigError, match="eos"):
        gradatim.pipeline("text-generation", tmp_path)
