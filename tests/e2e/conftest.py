"""Tiny corpora and a tiny encoder of the BERT family, so that the whole ladder is climbed in seconds."""

from __future__ import annotations

import csv
import json
import os
import string
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

THINGS = ["film", "plot", "cast", "score", "script", "ending", "camera", "dialogue"]
WORDS = {
    "good": ["moving", "deft", "warm", "funny", "luminous", "tender"],
    "bad": ["tired", "inert", "clumsy", "shrill", "leaden", "stale"],
    "odd": ["puzzling", "strange", "dreamlike", "crooked", "surreal", "eerie"],
}
NAMES = list(WORDS)


def sentence(rng: np.random.Generator, kinds: Sequence[str], tail: int) -> str:
    """One text that speaks of `kinds`, unique by its number."""
    said = [f"the {rng.choice(THINGS)} is {rng.choice(WORDS[kind])}" for kind in kinds]
    return f"{' and '.join(said)} , take {tail}"


def single_label(n: int, labels: Sequence[str], rng: np.random.Generator) -> list[dict[str, str]]:
    return [{"text": sentence(rng, [name := labels[i % len(labels)]], i), "label": name} for i in range(n)]


def multi_label(n: int, rng: np.random.Generator) -> list[dict[str, str]]:
    rows = []
    for i in range(n):
        kinds = [NAMES[i % 3]] if i % 2 else [NAMES[i % 3], NAMES[(i + 1) % 3]]
        rows.append({"text": sentence(rng, kinds, i), "label": "|".join(sorted(kinds))})
    return rows


def paired(n: int, rng: np.random.Generator) -> list[dict[str, str]]:
    rows = []
    for i in range(n):
        first, second = NAMES[i % 3], NAMES[(i + (i // 3) % 2) % 3]
        same = "same" if first == second else "different"
        rows.append(
            {"sentence1": sentence(rng, [first], i), "sentence2": sentence(rng, [second], i), "label": same}
        )
    return rows


def write_csv(path: Path, rows: Sequence[dict[str, str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def reviews(path: Path, n: int = 90) -> Path:
    """A table of `n` texts in two classes."""
    return write_csv(path, single_label(n, ("bad", "good"), np.random.default_rng(0)))


def make_rows(kind: str, n: int = 90) -> list[dict[str, str]]:
    """Rows of one of the four shapes of a task."""
    rng = np.random.default_rng(1)
    if kind == "multi-label":
        return multi_label(n, rng)
    if kind == "pairs":
        return paired(n, rng)
    return single_label(n, NAMES if kind == "multi-class" else NAMES[:2], rng)


def build_encoder(folder: Path) -> Path:
    """A random BERT of 4 layers and width 32 whose WordPiece vocabulary holds our words and the letters."""
    import torch
    from tokenizers import BertWordPieceTokenizer

    from gradatim.checkpoint.folder import save_model
    from gradatim.models.backbone import Backbone
    from gradatim.models.presets import Sizes, bert

    words = ["the", "is", "and", ",", "take", *THINGS, *(word for kind in WORDS.values() for word in kind)]
    letters = string.ascii_lowercase + string.digits
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words, *letters, *("##" + c for c in letters)]
    tokenizer = BertWordPieceTokenizer({piece: i for i, piece in enumerate(pieces)}, lowercase=True)
    torch.manual_seed(0)
    config = bert(Sizes(
        vocab_size=tokenizer.get_vocab_size(), num_layers=4, width=32, num_heads=2, ffn_width=64,
        max_length=64,
    ))  # fmt: skip
    save_model(Backbone(config), folder, family="bert")
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_encoder(tmp_path_factory.mktemp("encoder") / "tiny-bert")


def environment() -> dict[str, str]:
    """One thread, a cache that is shared, no hub."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "COLUMNS": "200"}


@dataclass(frozen=True)
class Said:
    """How a run of the command line ended, and what it printed."""

    code: int
    out: str
    err: str


def gradatim(folder: Path, *args: object, timeout: float = 120) -> Said:
    """Run `gradatim ARGS` in `folder`, as a user would."""
    done = subprocess.run(
        [sys.executable, "-m", "gradatim", *map(str, args)],
        cwd=folder, env=environment(), capture_output=True, text=True, timeout=timeout, check=False,
    )  # fmt: skip
    return Said(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def run(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., Said]:
    """Runs the command line in this process (torch is imported once), in `tmp_path`; gives how it ended."""
    from gradatim.cli import main

    monkeypatch.chdir(tmp_path)
    for name, value in environment().items():
        monkeypatch.setenv(name, value)

    def call(*args: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["gradatim", *map(str, args)])
        capfd.readouterr()
        try:
            main([str(arg) for arg in args])
            code: Any = 0
        except SystemExit as stop:
            code = stop.code or 0
        out, err = capfd.readouterr()
        return Said(code, out, err)

    return call


def climbed(folder: Path) -> dict[str, Any]:
    """What each finished rung of a climb folder recorded."""
    return {
        path.parent.name: json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*/done.json")
    }


@pytest.fixture(scope="session")
def tools() -> SimpleNamespace:
    """The functions of this file, for tests that need them by name."""
    return SimpleNamespace(
        make_rows=make_rows, write_csv=write_csv, reviews=reviews, gradatim=gradatim, climbed=climbed,
        environment=environment,
    )  # fmt: skip
