"""Tasks that transformers 5 removed answer as those of 4.57 did (`record.py` says how that was written down)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tiny_folders
from record import CASES

import gradatim

Same = Callable[[Any, Any], None]
RECORDED = json.loads(Path(__file__).with_name("pipelines.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("models")
    return {name: getattr(tiny_folders, name)(root / name) for name in ("reader", "writer")}


@pytest.mark.parametrize("number", range(len(CASES)))
def test_answers_are_those_of_transformers_4(folders: dict[str, Path], number: int, same: Same) -> None:
    task, name, inputs, options = CASES[number]
    same(gradatim.pipeline(task, folders[name])(inputs, **options), RECORDED[number])
    same(gradatim.pipeline(task, folders[name], **options)(inputs), RECORDED[number])


def test_a_direction_that_a_model_does_not_name_is_said(
    folders: dict[str, Path], caplog: pytest.LogCaptureFixture
) -> None:
    path = folders["writer"]
    gradatim.pipeline("translation_en_to_fr", path)
    gradatim.pipeline("translation", path)
    assert not caplog.records
    gradatim.pipeline("translation_en_to_es", path)
    assert "'translation_en_to_es'" in caplog.text
    assert "translation_en_to_fr" in caplog.text


def test_a_writer_reads_as_many_tokens_as_its_tokenizer_says(folders: dict[str, Path]) -> None:
    shorten = gradatim.pipeline("summarization", folders["writer"], max_new_tokens=8)
    [found] = shorten("the film was good . " * 30, truncation=True)
    assert found["cut_tokens"] == 150 - (64 - len(["</s>", "summarize:"]))
