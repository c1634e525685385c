"""The manifest of a climb."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from gradatim import __version__
from gradatim.engine import processor
from gradatim.ladder.goals import goal_of
from gradatim.ladder.machine import described, manifest
from gradatim.ladder.rung import Problem
from gradatim.types import Corpus, Examples, Task

EXAMPLES = Examples(["a", "b"], None, np.array([0, 1]))
CPUINFO = "processor : 0\nmodel name : Fine CPU\nflags : fpu avx2 avx512f avx512_bf16\n"


def tells(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(processor, "open", lambda *_, **__: io.StringIO(text), raising=False)


def test_processor_names_what_matters(monkeypatch: pytest.MonkeyPatch) -> None:
    tells(monkeypatch, CPUINFO)
    assert described() == "Fine CPU (AVX2, AVX-512, BF16)"
    tells(monkeypatch, "model name : Old CPU\nflags : fpu\n")
    assert described() == "Old CPU (no vector extensions known)"


def test_processor_of_another_system_is_not_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object, **__: object) -> None:
        raise FileNotFoundError

    monkeypatch.setattr(processor, "open", missing, raising=False)
    assert described()


def test_manifest_holds_what_a_repetition_needs(tmp_path: Path) -> None:
    corpus = Corpus("tiny", Task(("x", "y")), EXAMPLES, EXAMPLES, None, digest="ab" * 32)
    facts = manifest(
        Problem(corpus, goal_of(corpus.task), tmp_path, tmp_path, "accuracy", seed=7, threads=3),
        "gradatim fit tiny",
    )
    assert facts["command"] == "gradatim fit tiny"
    assert "ab" * 32 in facts["data"]
    assert facts["seed"] == "7"
    assert facts["threads"] == "3"
    assert f"gradatim {__version__}" in facts["versions"]
    assert all(isinstance(value, str) and value for value in facts.values())
