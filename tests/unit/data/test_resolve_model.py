"""What a model name stands for, and what is wrong with a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from gradatim.data import hub, resolve_model
from gradatim.errors import CheckpointError, SourceError


def test_resolve_model_of_a_folder(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"no config\.json, no model\.safetensors, no tokenizer"):
        resolve_model(tmp_path)
    for name in ("config.json", "vocab.txt", "pytorch_model.bin"):
        (tmp_path / name).touch()
    with pytest.raises(CheckpointError, match=r"pickle \(pytorch_model\.bin\).*convert"):
        resolve_model(str(tmp_path))
    (tmp_path / "model.safetensors").touch()
    assert resolve_model(tmp_path) == tmp_path


def test_resolve_model_of_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "reachable", lambda: False)
    with pytest.raises(SourceError, match="did you mean 'minilm-l6'"):
        resolve_model("minilm-l12")
    with pytest.raises(SourceError, match="no model folder"):
        resolve_model("./not/here/at/all")
    with pytest.raises(SourceError, match="not a model"):
        resolve_model("tweets")


def test_resolve_model_of_the_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("config.json", "vocab.txt", "model.safetensors"):
        (tmp_path / name).touch()
    monkeypatch.setattr(hub, "reachable", lambda: True)
    monkeypatch.setattr(hub, "snapshot", lambda name: {"owner/model": tmp_path}[name])
    assert resolve_model("owner/model") == tmp_path
