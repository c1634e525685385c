"""The manifest of a climb."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gradatim import __version__
from gradatim.ladder import machine
from gradatim.ladder.machine import manifest, processor
from gradatim.ladder.rung import Problem
from gradatim.types import Corpus, Examples, Task

EXAMPLES = Examples(["a", "b"], None, np.array([0, 1]))
CPUINFO = "processor : 0\nmodel name : Fine CPU\nflags : fpu avx2 avx512f avx512_bf16\n"


class Place:
    """Stands for a path whose text is `text`, or which cannot be read."""

    def __init__(self, text: str | None) -> None:
        self.text = text

    def __call__(self, _name: str) -> Place:
        return self

    def read_text(self, encoding: str) -> str:
        if self.text is None:
            raise FileNotFoundError
        return self.text


def test_processor_names_what_matters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "Path", Place(CPUINFO))
    assert processor() == "Fine CPU (AVX2, AVX-512, BF16)"
    monkeypatch.setattr(machine, "Path", Place("model name : Old CPU\nflags : fpu\n"))
    assert processor() == "Old CPU (no vector extensions known)"


def test_processor_of_another_system_is_not_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "Path", Place(None))
    assert processor()


def test_manifest_holds_what_a_repetition_needs(tmp_path: Path) -> None:
    corpus = Corpus("tiny", Task(("x", "y")), EXAMPLES, EXAMPLES, None, digest="ab" * 32)
    facts = manifest(Problem(corpus, tmp_path, tmp_path, "accuracy", seed=7, threads=3), "gradatim fit tiny")
    assert facts["command"] == "gradatim fit tiny"
    assert "ab" * 32 in facts["data"]
    assert facts["seed"] == "7"
    assert facts["threads"] == "3"
    assert f"gradatim {__version__}" in facts["versions"]
    assert all(isinstance(value, str) and value for value in facts.values())
